"""The tables: people, what they agreed to, campaigns, and the delivery ledger."""

from mailer.models.base import Base
from mailer.models.campaigns import Campaign, CampaignStatus, CampaignText, Edition
from mailer.models.consent import ConsentAction, ConsentEvent, ConsentPurpose, ConsentText, Request, RequestKind
from mailer.models.ledger import Claim, Delivery, DeliveryState, Purpose
from mailer.models.people import (
    JoinCount,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    Union,
)

__all__ = [
    "Base",
    "Campaign",
    "CampaignStatus",
    "CampaignText",
    "Claim",
    "ConsentAction",
    "ConsentEvent",
    "ConsentPurpose",
    "ConsentText",
    "Delivery",
    "DeliveryState",
    "Edition",
    "JoinCount",
    "MailingList",
    "Purpose",
    "Request",
    "RequestKind",
    "Subscriber",
    "Subscription",
    "SubscriptionStatus",
    "Suppression",
    "SuppressionReason",
    "Union",
]
