"""The tables: people, unions, what they agreed to, cases and targets, campaigns and kits, the delivery ledger, accounts
at the desk, approvals, and the audit log."""

from mailer.store.models.accounts import (
    Account,
    AccountMail,
    AccountRole,
    DeskSession,
    Invitation,
    InvitationKind,
    KnownBrowser,
    RecoveryCode,
    Role,
    SignInFailure,
)
from mailer.store.models.alarms import CampaignAlarm
from mailer.store.models.approvals import Approval, ApprovalRequest, CampaignContent, LoneNotice, LoneRequest
from mailer.store.models.audit import AuditActor, AuditEntry
from mailer.store.models.base import Base
from mailer.store.models.campaigns import Asking, Campaign, CampaignStatus, CampaignText, Edition, HomeRule
from mailer.store.models.cases import (
    Case,
    CaseEvent,
    CaseEventKind,
    CaseFact,
    CaseStatus,
    CaseText,
    Certainty,
)
from mailer.store.models.consent import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentSource,
    ConsentText,
    MailedLink,
    MailedLinkKind,
)
from mailer.store.models.figures import CampaignFigures
from mailer.store.models.inbound import InboundTally, Reply, Tally, UnreadMessage
from mailer.store.models.kits import Kit, KitEdition
from mailer.store.models.ledger import (
    BEFORE_CAMPAIGNS,
    GOT,
    SERVERS_WORDS,
    SYSTEM_MAIL,
    WAITING,
    Claim,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
    ended,
)
from mailer.store.models.letters import LetterText
from mailer.store.models.mail_events import MailEvent, MailEventCount
from mailer.store.models.organisers import DailyMail, HoldMail
from mailer.store.models.people import (
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionLift,
    SuppressionReason,
)
from mailer.store.models.targets import StoredTarget, TargetReport, TargetReportKind, TargetRole
from mailer.store.models.unions import Application, JoinCount, Union, UnionContact, UnionStatus

__all__ = [
    "BEFORE_CAMPAIGNS",
    "GOT",
    "SERVERS_WORDS",
    "SYSTEM_MAIL",
    "WAITING",
    "Account",
    "AccountMail",
    "AccountRole",
    "Application",
    "Approval",
    "ApprovalRequest",
    "Asking",
    "AuditActor",
    "AuditEntry",
    "Base",
    "Campaign",
    "CampaignAlarm",
    "CampaignContent",
    "CampaignFigures",
    "CampaignStatus",
    "CampaignText",
    "Case",
    "CaseEvent",
    "CaseEventKind",
    "CaseFact",
    "CaseStatus",
    "CaseText",
    "Certainty",
    "Claim",
    "ConsentAction",
    "ConsentEvent",
    "ConsentPurpose",
    "ConsentSource",
    "ConsentText",
    "DailyMail",
    "Delivery",
    "DeliveryState",
    "DeskSession",
    "Edition",
    "HoldMail",
    "HomeRule",
    "InboundTally",
    "Invitation",
    "InvitationKind",
    "JoinCount",
    "Kit",
    "KitEdition",
    "KnownBrowser",
    "LetterText",
    "LoneNotice",
    "LoneRequest",
    "MailEvent",
    "MailEventCount",
    "MailedLink",
    "MailedLinkKind",
    "MailingList",
    "Purpose",
    "Reason",
    "RecoveryCode",
    "Reply",
    "Role",
    "SignInFailure",
    "StoredTarget",
    "Subscriber",
    "Subscription",
    "SubscriptionStatus",
    "Suppression",
    "SuppressionLift",
    "SuppressionReason",
    "Tally",
    "TargetReport",
    "TargetReportKind",
    "TargetRole",
    "Union",
    "UnionContact",
    "UnionStatus",
    "UnreadMessage",
    "ended",
]
