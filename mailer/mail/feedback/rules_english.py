"""What mail servers say in English, and in the names of conditions that programs write."""

from mailer.mail.feedback.rules import Rule
from mailer.mail.feedback.types import Category as C

_WHO = (
    r"(?:user(?:name|s|id)?|recipients?|mail ?box(?:es)?|(?:mail )?account|addresse?e?s?|e-?mail(?: address| account)?"
    r"|local[- ]?part|person|customer|subscriber|alias|member|destination|inbox|receiver|party|maildrop|deliver)"
)
_MISSING = (
    r"(?:unknown(?! error| reason| command| host| status| sender)|(?:was |is |be )?not (?:be )?(?:found|known|located)"
    r"|(?:does|do|did|may|is) not exist|(?:does|do)n't exist|not existing|no longer exist|non-?exist|unrecogni[sz]ed"
    r"|not (?:be )?(?:recogni[sz]ed|identified|matched|defined|registered)|(?:can ?not|could not|can't|couldn't) be found"
    r"|(?:is |was |are )?(?:invalid|incorrect|not (?:a )?valid)|isn't (?:valid|known)|undefined|has no (?:mailbox|account)"
    r"|(?:is|does) not (?:in|listed|here)\b|can(?:not|'t) be (?:resolved|verified))"
)
_OURS = r"(?:sender(?:'s|s)?|originator|return(?:[- ]path)?|from|mail from|sending|envelope[- ]from|reverse[- ]path)"

ENGLISH = (
    # --- our sender
    Rule(
        C.US,
        rf"\b{_OURS}:? (?:¤ )?(?:e-?mail )?(?:address(?:es)?|domain|host|mailbox|verif(?:y|ication))(?: name)?"
        r"(?: ¤| \S+){0,4}:? (?:rejected|fail|den(?:y|ied)|refused|must|does|do |is |was |has |could|can|not |invalid|domain|"
        r"unknown|blocked|verif|needs)",
        "550 Sender address refused: its domain does not exist",
        unless=r"blacklist|black list|block ?list|spamhaus",
    ),
    Rule(
        C.US,
        r"\b(?:(?:domain|host|address) of (?:the )?sender|sender(?:'s)? domain|sender ¤|unknown sender|invalid sender|bad sender"
        r"|(?:your|this) sender|sender (?:was |is |not |denied|rejected|unknown|refused|blocked|verif|could not|must|non)"
        r"|from (?:address|domain)|return address|invalid return|verification failed for|envelope sender|invalid-sender"
        r"|send ?as ?denied|bad address in from)",
        "501 5.1.8 the domain of the sender in.example.org does not exist",
        unless=r"spamhaus|blacklist|black list|block ?list|contact the sender|notify the sender|sender (?:is|was) not (?:on|in|a|an)\b"
        r"|return address\)",
    ),
    Rule(
        C.US,
        r"\bsender verify|sender callout|callback (?:setup|verif)|\b(?:in (?:reply|response) to|after|at)(?: pipelined| the)?"
        r" (?:end of )?mail from\b|>>> mail from",
        "550 not from there (in reply to MAIL FROM command)",
        unless=r"blacklist|black ?list|block ?list|spamhaus|>>> rcpt to",
    ),
    # --- names of our server, and what is signed
    Rule(
        C.AUTH,
        r"\b(?:spf|dkim|dmarc|arc|sender ?id|domainkeys?|fcrdns|rdns|ptr|csv)\b|reverse(?: |-)?(?:dns|lookup|ip|host|name|mapping"
        r"|address|resolution)|(?:helo|ehlo)\b|(?:find|resolve|match|verify) your (?:reverse )?(?:host|dns|name|ip)"
        r"|sender policy framework",
        "550 5.7.1 no PTR record for 192.0.2.7",
        unless=r"\b(?:user|recipient) (?:unknown|not found)|unknown user|no such user|(?:after|response to|reply to) (?:end of )?(?:helo|ehlo)"
        r"|arc-seal",
    ),
    Rule(
        C.AUTH,
        r"authentication (?:is )?(?:required|failed|failure|credentials|checks?|unsuccessful)|(?:unauthenticated|not authenticated)"
        r"|not pass(?:ing)? authentic|must (?:first )?(?:be )?(?:authenticate|issue a starttls)|requires? authentication"
        r"|smtp auth|(?:requires?|needs?|lack of) (?:tls|encryption)|\bunauthenticated",
        "550 5.7.26 this mail does not pass authentication checks",
    ),
    # --- too much
    Rule(
        C.RATE,
        r"\bat a rate\b|\btoo (?:fast|quickly|frequent|often)|rate[- ]?(?:limit|control|exceed)|limit(?:ed|s)? (?:the )?rate"
        r"|throttl|unusual (?:rate|sending)|flood|\btoo much (?:mail|email|traffic)|excessive|exceeded (?:its|the|your|their)"
        r" (?:\w+ )?(?:rate|sending|hourly|daily)",
        "450 4.2.1 this mailbox gets mail at a rate that we do not allow",
    ),
    Rule(
        C.RATE,
        r"\btoo many (?!hops|received|times|attempts to deliver)|(?:sending|connection|recipients?|messages?|session|concurren\w+|daily|hourly)"
        r" (?:\w+ )?(?:rate |count )?(?:limits?|quota)\b(?! size)|maximum (?:number|amount) of (?:recipients|messages|connections)"
        r"|(?:\d+|max(?:imum)?) (?:emails|mails|messages|recipients) (?:per|an?) (?:hour|day|minute|connection|session)",
        "421 4.7.0 too many messages from 192.0.2.7, slow down",
        unless=r"over ?quota|mailbox (?:is )?full|storage|message size|recipient (?:has exceeded|is over)|mailbox",
    ),
    # --- relaying
    Rule(
        C.RELAY,
        r"\brelay(?:ing|ed)?\b[^.;]{0,40}(?:den(?:y|ied)|disallowed|prohibited|reject|forbidden|refuse|not (?:permitted|allowed|support)|access|fail)"
        r"|(?:\bnot|cannot|\bno|unable to|never|n't) (?:\w+ ){0,2}relay|\brcpthosts\b|relay (?:access|restriction|prohibit)"
        r"|(?:does not|doesn't|not) (?:pass|handle|accept|take)(?: on)? mail (?:on )?for (?:that|this|the) domain|relaying-issues"
        r"|we (?:do not|don't) relay|not a (?:gateway|relay|local domain)|(?:is|are) not (?:an? )?(?:local|hosted) domain",
        "550 5.7.54 this server does not pass mail on for that domain",
        unless=r"(?:unknown|no such) (?:user|recipient)|user (?:unknown|not found)",
    ),
    # --- size
    Rule(
        C.SIZE,
        r"(?:message|mail|size|e-?mail|attachment)s? (?:\w+ ){0,4}too (?:large|big|long)|too (?:large|big) (?:message|mail)|message (?:size|length) (?:\w+ )?exceed"
        r"|exceed\w* (?:\w+ ){0,3}(?:message|mail|attachment) (?:size|length)|(?:size|length) (?:\w+ )?(?:exceeds|limit|is larger)"
        r"|exceed\w* (?:the |our |its )?(?:fixed |max\w* |allowed |permitted )+(?:\w+ )?(?:message |mail )?size|larger than (?:the|we|\d)|maximum (?:allowed )?message size",
        "552 5.3.4 the message is too large for us",
        unless=r"mail ?box|quota",
    ),
    # --- full
    Rule(
        C.FULL,
        r"\b(?:over|exceed\w*|out of|beyond|under|reached)(?: \w+){0,4} (?:disk |mail |mailbox )?(?:quota|storage|allocation|capacity|allotment)"
        r"|over-?quota|quota (?:\w+ ){0,2}(?:exceed|full|reach|error|exhaust|fail|violation|is over|will be exceeded)|quota-issues"
        r"|disk quota|mailbox quota|storage quota|no quota|(?:exceed|over)\w* (?:\w+ )?quota|\bquota$|user quota|quota overage",
        "552 5.2.2 the mailbox is over its quota",
        unless=r"sending quota|quota of messages",
    ),
    Rule(
        C.FULL,
        r"\b(?:mail ?box|mail ?drop|inbox|mail ?folder|account|user|recipient|storage|disk|spool)(?:'s)? (?:\S+ ){0,4}?(?:is |are |was |has |too )*"
        r"(?:full\b|too large|too big|out of space|over (?:the |its |their |his )?(?:\w+ )?(?:limit|size|maximum|quota|storage)|exceed\w* (?:\w+ ){0,4}(?:limit|size|space|storage|maximum))"
        r"|\bfull mailbox|mailbox (?:\w+ )?size limit|mailbox_full|mbox(?: is)? full",
        "550 the mailbox of that person is full",
        unless=r"message size|full name|fully",
    ),
    Rule(
        C.FULL,
        r"(?:not|n't) (?:have )?enough (?:\w+ )?(?:disk |storage |free |mailbox )*(?:space|storage|room)|(?:insufficient|no)(?: \w+){0,2} (?:disk|storage|mailbox|free) ?(?:space|storage|left|available)?"
        r"|exceed\w* (?:\w+ ){0,3}(?:storage|disk|space|size limit for)|space (?:left|limit)|(?:storage|disk) (?:limit|allocation|full)|no room|mailbox would exceed|not enough room",
        "452 4.2.2 there is not enough space left for your mail",
        unless=r"system storage",
    ),
    # --- put off: before rules that others are blocked by
    Rule(
        C.TEMPORARY,
        r"gr[ea]y-?list",
        "451 4.7.1 greylisted, come back in five minutes",
    ),
    # --- blocklists and rules
    Rule(
        C.POLICY,
        r"\b(?:black|block|deny|reject|bl0ck)[- ]?(?:list|hole)(?:s|ed|ing)?\b|\b(?:rbl|dnsbl|spamhaus|spamcop|sorbs|senderbase|senderscore|cloudmark|uceprotect|abusix|psbl|cbl|njabl|trend ?micro|ers|barracuda ?(?:central|reputation))\b"
        r"|(?<!not )\blisted (?:in|at|on|by) (?!the (?:directory|address)|our (?:directory|user|local))|reputation|open (?:relay|proxy)|dial-?up|dynamic (?:ip|address|pool)|(?:ip|host|network|server)s? (?:\S+ )?(?:has been |is |was |are )?(?:currently )?(?:blocked|banned|listed|refused|not allowed|denied)",
        "550 5.1.1 refused: 192.0.2.7 is on our blocklist",
        unless=r"not listed in (?:public|the|domino)",
    ),
    Rule(
        C.POLICY,
        r"\bblocked\b|\bbanned\b|blocked (?:by|using|for|due)|(?:your|this|sending|the) (?:ip|ip address|network|mail ?server|host|mta)\b[^.;]{0,50}(?:blocked|reject|refus|not allowed|poor|bad|suspicious|abus|den)"
        r"|(?:client|sending) host (?:rejected|blocked)|(?:connection|access|mail|message|session|service) (?:\w+ ){0,2}(?:blocked|refused by policy|rejected (?:by|due|for) (?:\w+ )?(?:policy|security))"
        r"|policy (?:reason|violation|restriction|reject|block|fail|prohibit)|(?:local|security|site|server|our|recipient'?s?|email|mail|administrative|due to|by|to|for) (?:\w+ )?polic(?:y|ies)\b|policy-related|abuse",
        "554 banned by a rule of this site",
        unless=r"account (?:is |has been |was )?(?:temporarily )?(?:blocked|banned)|(?:user|mailbox|recipient|address|e?-?mail) (?:is |has been |was )?(?:temporarily )?(?:blocked|banned)"
        r"|(?:unknown|no such|invalid) (?:user|recipient|mailbox|address)|(?:user|recipient) (?:unknown|not found)|does(?: not|n't) exist",
    ),
    Rule(
        C.POLICY,
        r"(?:allow|accept|receive|restricted|limited|only)\w*(?: \w+){0,4} (?:from |to )(?:\w+ ){0,3}(?:internal|known|trusted|authenticated|authori[sz]ed|approved|certain|specific|members|senders|allowed|white)"
        r"|(?:not|n't) (?:have )?(?:been granted )?(?:the )?permission|(?:not|n't) (?:allowed|authori[sz]ed|permitted|entitled) to (?:send|post|mail|deliver|write|use|submit)"
        r"|restricted (?:recipient|address|group|to)|moderat(?:ed|or)|sender (?:is|was) not (?:on|in|a|an)\b|rcpt blocked|(?:resolver\.)?rst\.|restrictadmin|notauth|authrequired|members? only|subscribers? only|not (?:a )?(?:subscribed|member)|white ?list",
        "550 5.7.1 this group takes mail from its members only",
    ),
    # --- what a mail says
    Rule(
        C.CONTENT,
        r"\b(?:spam\w*|viruse?s?|virii|malware|phish\w*|trojan|infected|junk ?mail|unsolicited|ube|uce|bulk (?:e-?)?mail|scam)\b|spam-related|virus-related|content-related"
        r"|content (?:reject|filter|restrict|of (?:this|the|your) (?:message|mail)|\w+ (?:reject|block|not allowed))|(?:rejected|blocked|refused)(?: \w+){0,3} content|message content|(?:illegal|prohibited|forbidden|banned|dangerous|blocked) (?:attachment|file|content)"
        r"|attachment|suspicious|objectionable|filtered|looks? like (?:spam|bulk)|(?:message|mail) (?:scored|looks)|offensive|header (?:\w+ )?(?:reject|malformed|missing)|bare (?:lf|cr)\b|malformed|not rfc ?(?:2822|5322|822)|rfc ?(?:2822|5322) complian|8-?bit|(?:mime|encoding) (?:error|not)",
        "554 5.6.0 your mail looks like spam",
        unless=r"(?:unknown|no such|invalid) (?:user|recipient|mailbox)|(?:user|recipient) (?:unknown|not found)|does(?: not|n't) exist|unnecessary spaces|not defined|in the spam folder|e-?mail scanned",
    ),
    # --- how an address is written
    Rule(
        C.UNDETERMINED,
        r"(?:address|mailbox|recipient|path|command|parameter)[^.;]{0,30}syntax|syntax (?:error|of|not)|malformed address|(?:illegal|invalid) (?:address )?(?:character|format)|bad address (?:syntax|format)"
        r"|(?:missing|no) (?:local part|domain|address)\b|requires? (?:domain|fully)|fully-?qualified",
        "553 5.1.3 the address breaks the rules of syntax",
    ),
    # --- domains
    Rule(
        C.NO_DOMAIN,
        r"\b(?:unknown|unresolvable|invalid|no such|non-?existent|unrouteable|unroutable|bad|illegal|can'?t find|cannot find|could not find|couldn't find|not find)(?: \w+){0,3} (?:domain(?: name)?|host ?(?:name)?|mail ?host|mail ?server|mx|destination (?:host|domain|system)|gateway|server|site|dns)\b"
        r"|\b(?:domain|host(?: ?name)?|mail ?host|hostname|site|server name|address family)\b(?: or (?:domain|host) ?(?:name)?)?(?: name)?(?: \S+){0,5}? (?:unknown|was not found|not found|does not exist|do not exist|doesn't exist|is invalid|not known|could not be found|cannot be found|(?:can|could)(?:not| not|n't) be resolved|is not registered|non-?exist|not resolve|unresolvable|has expired)",
        "550 5.1.2 the domain example.net does not exist",
        unless=r"try again|temporar|servfail|again later|virtual (?:host|domain)|sender|unknown user|reverse|\bhelo\b|user unknown|user ¤ not found|mailbox (?:not found|unavailable|unknown)|(?:recipient|user|account|mailbox|address) (?:\w+ )?(?:not found|does not exist|doesn't exist|unknown)",
    ),
    Rule(
        C.NO_DOMAIN,
        r"nxdomain|null ?mx|\bno (?:mx|a|mail ?(?:server|exchanger|host|exchange))s?(?: or \w+)?(?: \w+)? (?:record|for|found|known|could|responsible|defined)|no valid (?:mail )?(?:hosts?|mx)|(?:domain|host|system) (?:\S+ )?(?:does not|doesn't) (?:accept|receive|have|take) (?:any )?(?:mail|e-?mail|an? mx)"
        r"|all host address lookups failed permanently|mx records? point\w* to non-?exist|bad-domain|no (?:smtp|mail) service|name or service not known|(?:dns|name) (?:error|lookup|server)[^.;]{0,30}(?:domain (?:name )?not found|no data|does not exist|nonexistent|failed permanently|query returned no)"
        r"|couldn't find any host|domain (?:has been |is )?(?:expired|not (?:exist|hosted|configured))|does not have an mx|mx lookup (?:failed|error)|infodomainnonexistent|bad destination (?:system|host)|(?:no|without) dns (?:entry|record)|domain name not found|not a valid domain",
        "the domain has a null MX and takes no mail",
        unless=r"try again|temporar|servfail|again later|sender",
    ),
    Rule(
        C.NO_DOMAIN,
        r"^\W*unrout(?:e)?able (?:mail )?(?:address|domain)",
        "unrouteable address",
    ),
    # --- locked
    Rule(
        C.DISABLED,
        rf"\b(?:{_WHO}|mail|he|she|it|¤)(?:'s)?\b(?: \S+){{0,8}}? (?:is |was |are |has been |have been |been |currently |temporarily |now |your |or |administratively |account )*"
        r"(?:disabled|de-?activated|inactive|suspended|locked|frozen|blocked|banned|expired|discontinued|dormant|not (?:yet )?(?:been )?(?:active|activated|enabled)|closed|terminated|cancell?ed|unavailable due to inactivity|on hold|abandoned|out of service)",
        "550 5.2.1 the account was suspended",
        unless=r"domain|\bhost\b|sender|message (?:has |was |is )?(?:expired|suspended)|expired (?:in queue|message)|(?:message|delivery|queue|mail) (?:\w+ ){0,3}expired|connection|(?:ip|network|server) (?:\S+ )?(?:is |was |has been )?blocked|timed? out|mail(?:-daemon)? (?:has been |is |was )?(?:locked|blocked|disabled|closed|cancell?ed)",
    ),
    Rule(
        C.DISABLED,
        r"\b(?:disabled|inactive|suspended|deactivated|locked|frozen|closed|expired) (?:user|account|mailbox|mail ?box|recipient|address)|(?:user|account|mailbox) (?:disabled|inactive|suspended|deactivated|locked)|no longer accept|not accepting (?:any )?(?:more )?(?:mail|messages|e-?mail)|inactive-mailbox|(?:mailbox|account|recipient) (?:is )?not accepting|(?:does not|doesn't|not) (?:currently )?(?:accept|receive) (?:any |new |incoming )*(?:mail|messages|e-?mail)(?! from)|account that you tried to reach is (?:disabled|inactive)|over-?due|not been (?:logged|used)|unpaid|has not logged",
        "554 inactive mailbox, unused for a year",
        unless=r"domain|\bhost\b",
    ),
    # --- nobody
    Rule(
        C.NO_MAILBOX,
        r"recipient address rejected: access denied",
        "550 5.4.1 Recipient address rejected: Access denied",
        status=r"5\.4\.1$",
    ),
    Rule(
        C.NO_MAILBOX,
        rf"\b(?:unknown|no such|invalid|non-?exist[ea]nt|unrecogni[sz]ed|undefined|bad|wrong|illegal|incorrect|inexistent|unable to (?:find|locate)|cannot find|can't find|could not find|couldn't find|not find|undeliverable)(?:[ /](?!domain|host|sender|server|virtual)\w+){{0,3}}? {_WHO}\b",
        "550 no such person or mailbox here",
        unless=r"syntax|sender|user ?name or password|unable to (?:find|locate) (?:the )?(?:host|domain)",
    ),
    Rule(
        C.NO_MAILBOX,
        rf"\b{_WHO}(?:'s)?\b(?:(?! domain| host\b)[^.;!?]){{0,70}}?{_MISSING}",
        "550 5.1.1 the addressee ana is not known",
        unless=r"(?:domain|host) (?:name )?(?:was |is )?(?:not found|unknown|does not exist)|hosts? (?:unknown|not found)|syntax|invalid (?:header|helo|hostname|command|dns)|(?:does not|doesn't|not) match|not recogni[sz]ed command|may not exist, they",
    ),
    Rule(
        C.NO_MAILBOX,
        r"\bno (?:such )?(?:mail ?box|account|user|recipient|person|customer|alias|one|maildrop|mail drop|address|mailhost)s?\b (?:\w+ ){0,2}?(?:here|by|with|of|named|called|under|found|match\w*|exist\w*|at|in|available|on|known|¤)"
        r"|\bnobody\b (?:\w+ ){0,2}?(?:here|by|with|of|named|called|lives|has|¤)|\bthere is no(?:t a| one|body)? (?:such )?(?:user|account|mailbox|person|one|recipient|address|body|customer)?",
        "550 nobody called ana lives here",
        unless=r"there is no (?:mx|dns|answer|response|space|more|route|connection|reason|need)|no one (?:else|is|has)|there is no(?:t a| one|body)? (?!such|user|account|mailbox|person|one|recipient|address|body|customer)",
    ),
    Rule(
        C.NO_MAILBOX,
        r"\bis(?: not|n't) (?:an? |one of our |our |the |in our )?(?:\w+ )?(?:known |valid |local |active |registered |current |existing )?(?:user|account|mailbox|recipient|customer|subscriber|member|list of users|address|name|known|here)\b|\bnot (?:a|one of our|our|an) (?:known |valid |local |real |active |existing |registered )?(?:user|account|mailbox|recipient|customer|subscriber|address|name|member)|(?<!password )(?<!name )not (?:known|found) (?:at|to|on|in) (?:this|our|the|here)|¤(?: is|:)? (?:unknown|not known|not found|does not exist|is not found|doesn't exist|is invalid|not (?:a )?valid|non-?exist)|^\W*(?:5\d\d )?(?:#?5\.1\.1 )?(?:not (?:found|known)|unknown)\b",
        "550 ana is not one of our customers",
        unless=r"domain|\bhost\b|sender",
    ),
    Rule(
        C.NO_MAILBOX,
        r"does(?: not|n't) (?:have|own|hold|use|live|receive|work)(?: \S+){0,4} (?:account|mailbox|mail ?box|here|address|mail here)|not listed in (?:the )?(?:public )?(?:name|domino|directory|address|global)|(?:directory|address book|ldap|alias(?:es)?|user (?:list|database|table))(?: \w+){0,3} (?:lookup|search|miss|not found|no match|no entry|failed to find)|no (?:entry|match)(?:es|ing)? (?:\w+ )?(?:in|for|found)?(?: \w+){0,2} ?(?:directory|address book|user|recipient|name)?$|not (?:be )?(?:found|listed|located|present)(?: \w+){0,3} (?:directory|address book|address list|name and address|user list|database|system)",
        "554 the name is not listed in our directory",
        unless=r"directory (?:service|server)s? (?:\w+ )?(?:unavailable|error|down)|no such file",
    ),
    Rule(
        C.NO_MAILBOX,
        r"recip(?:ient)?notfound|unknown[_-](?:recipient|user|mailbox|address)|(?:recipient|user|mailbox|address|account)[_-]?(?:unknown|notfound|not[_-]found|not[_-]exist)|no[_-]such[_-](?:user|recipient|mailbox)|unknownuser|nosuchuser|bad-mailbox|invalid[_-](?:recipient|mailbox|user)|exrecipnotfound|addressunknown|\bunknown$|notfoundindirectory|resolver\.adr\.(?:invalid|bad)",
        "550 5.1.10 SOME.ADR.RecipientNotFound",
    ),
    Rule(
        C.NO_MAILBOX,
        r"\b(?:has |have )?(?:moved (?:to|away|on)|changed (?:his|her|their|its|my|e-?mail) (?:\w+ )?address)|no longer (?:exist|works?|with|here|employed|at |a |an |on |valid|available|in use|in service|used|belongs|associated|part of|supported|has|have|registered|maintained|monitored)|(?:has |have )?left (?:the |our |this )?(?:company|organi[sz]ation|firm|university|school)|(?:has|have|had) been (?:deleted|removed|retired|withdrawn)|was (?:deleted|removed)|please (?:try|use) (?:forwarding|forward-path)|user not local",
        "551 she has moved to another provider",
        unless=r"domain|message|attachment|virus|file|mail has been (?:deleted|removed)",
    ),
    Rule(
        C.NO_MAILBOX,
        r"mail ?box (?:is |was )?(?:currently )?(?:un|not )available|no mailbox\b|mailbox (?:name )?not allowed|address(?:ee)? (?:is )?undeliverable|undeliverable address|recipient (?:is )?(?:not (?:ok|valid|accepted)|undeliverable)|(?:does not|doesn't) like (?:the )?(?:recipient|addressee)|user unavailable|not deliverable to (?:this|that) mailbox|bad destination",
        "550 action not taken: mailbox unavailable",
        unless=r"temporar|later|try again|lock|busy|mailbox unavailable for this|inactivity|policy",
        is_weak=True,
    ),
    # Said by a server at RCPT; as a program's own word, it is about the domain.
    Rule(C.NO_MAILBOX, r"unrout(?:e)?able (?:mail )?address|address (?:is )?unrout", "550 Unrouteable address", is_weak=True),
    # --- for now
    Rule(
        C.TEMPORARY,
        r"\b(?:try|retry|taken|accepted|come back|again|available|resend|attempt)(?: \w+){0,3} later|try again|temporar|timed? ?-?out|time-?out|no (?:answer|response|route)|not (?:respond|answer|reachable|been able)|(?:connect\w*|session|socket|conversation|link|transmission)(?: \S+){0,6} (?:refused|reset|lost|dropped|closed|fail\w*|broken|aborted|error|down|timed)|(?:could not|couldn't|unable to|cannot|can't|failed to|not) (?:be )?(?:\w+ )?(?:connect|reach|contact|established?)|bad-connection|no-answer-from-host|routing-errors|unreachable|host (?:is )?down|lost connection|network (?:error|problem|down)|mail(?:er)? daemon|broken pipe",
        "451 try again in an hour",
    ),
    Rule(
        C.TEMPORARY,
        r"retry (?:time|timeout|limit|count)|(?:delivery|message|queue|mail|time|retry|lifetime|attempt)(?:\S* \S+){0,5} (?:expired|too (?:long|old)|exceeded|exhausted|limit)|message-expired|expired after|(?:not|n't|unable to)(?: be)?(?: \w+)? ?(?:delivered|deliver\w*)(?: \S+){0,4} (?:within|in|for|after) (?:\d|the|more|several)|has been (?:in the queue|queued|undeliver)|giv(?:en|ing) up|been trying|delivery time",
        "the time for delivery is exceeded",
    ),
    Rule(
        C.TEMPORARY,
        r"mail(?:er)? loop|loop(?:ing|s)?\b|too many (?:hops|received|times)|hop count|service (?:\w+ )?(?:un|not )available|(?:server|system|host|service|line)(?: \w+){0,3} (?:busy|overload\w*|locked|in use|shut|error|fail\w*|unavailable|problem|trouble)|system storage|internal (?:\w+ )?error|i/o error|(?:configuration|config|local|database|processing|disk|protocol|dns|server|mailer) (?:\w+ )?(?:error|problem|fail\w*)|deferred|servfail|general failure|name (?:service|server)[^.;]{0,40}(?:error|fail|again)|lowest[- ]numbered mx|points? (?:back )?to (?:us|me|itself|localhost|this|local)|can't create|cannot create|output file|command died|exit (?:status|code)|child status|signal \d|under maintenance|no such file|permission denied on|resources? (?:\w+ )?(?:un|not )|low on|out of memory|load average|mailbox (?:is )?(?:busy|locked|in use)",
        "454 internal error, the database is away",
    ),
    # --- words that others use too
    Rule(
        C.POLICY,
        r"access (?:\w+ )?(?:denied|refused|not allowed)|administrative(?:ly)? (?:prohibit|den|reject|lock)|administrative prohibition|not (?:allowed|authori[sz]ed|permitted)|permission|denied|prohibited|restrict|\bpolic(?:y|ies)\b|refused? (?:mail|e-?mail|messages?|to accept|your|the|from)|(?:do not|don't|does not|doesn't|not) (?:want|wish|accept|like|welcome)|disallowed|forbidden|security|unacceptable|rejected (?:by|due|for|because)|declined|transaction (?:rejected|failed because)|transport rules?|(?:mail|message|e-?mail) (?:was |has been |is )?(?:rejected|refused|blocked|declined)|no thanks|go away|unwelcome",
        "550 access to this server is forbidden",
        is_weak=True,
    ),
)
