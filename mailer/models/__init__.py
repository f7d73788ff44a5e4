"""The tables: people, unions, what they agreed to, campaigns and their kits, and the delivery ledger."""

from mailer.models.base import Base
from mailer.models.campaigns import Campaign, CampaignStatus, CampaignText, Edition
from mailer.models.consent import ConsentAction, ConsentEvent, ConsentPurpose, ConsentText, Request, RequestKind
from mailer.models.kits import Kit, KitEdition
from mailer.models.ledger import Claim, Delivery, DeliveryState, Purpose
from mailer.models.people import (
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from mailer.models.unions import Application, JoinCount, Union, UnionContact, UnionStatus

__all__ = [
    "Application",
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
    "Kit",
    "KitEdition",
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
    "UnionContact",
    "UnionStatus",
]
