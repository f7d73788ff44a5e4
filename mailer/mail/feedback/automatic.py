"""Who wrote a message: a person, a mail server, or a program that answers while its owner is away."""

import re

from mailer.mail.feedback.reading import Headers

_REPLY = re.compile(r"^\s*(?:(?:re|aw|sv|vs|antw|odp|ynt|rif|res|fw|fwd|wg|tr|رد|回复|回覆|답장)\s*(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE)

#: How the subject of an absence note begins, in the languages that people who get our mail write.
_ABSENCES = (
    # English
    r"(?:auto(?:matic|mated|mat(?:ed|ic))?[- ]?(?:reply|response|answer|responder)|auto:)|autoreply|autoresponse|auto ?response"
    r"|out[- ]of[- ](?:the )?office|ooo\b|(?:i am |i'm |is |am |currently )?(?:away|out of town) (?:from|until|on|for|at|notice|message|\()|away\b|on (?:vacation|holidays?|leave|sabbatical|maternity|paternity|parental)|(?:i am |i'm )?on (?:annual |sick |my )?(?:leave|vacation|holiday)"
    r"|vacation\b|holiday (?:notice|message|reply|notification)|absence\b|absent\b|not in (?:the )?office|thank you for (?:your (?:e-?mail|message|mail)|contacting|writing)|we(?:'ve| have) received your|your (?:e-?mail|message) (?:has been|was) received|delayed reply",
    # German
    r"abwesen|abwesenheit|automatische? (?:antwort|rückantwort|abwesenheit|e-?mail|empfangs)|urlaub|außer haus|nicht im (?:büro|haus|dienst)|bin (?:im urlaub|nicht)|ich bin (?:im urlaub|nicht|bis|derzeit|zur zeit|ab|vom|am)|eingangsbestätigung|autom\. antwort|elternzeit|ferien",
    # French
    r"absen[ct]|absence du bureau|r(?:é|e)ponse auto|message automatique|en cong(?:é|e)s?|je suis (?:absent|en cong|actuellement)|hors du bureau|notification d'absence|accus(?:é|e) de r(?:é|e)ception|cong(?:é|e)s?\b|vacances",
    # Spanish
    r"respuesta autom|fuera de (?:la )?oficina|ausente|ausencia|de vacaciones|vacaciones|estoy (?:ausente|de vacaciones|fuera)|mensaje autom|contestaci(?:ó|o)n autom|aviso de ausencia|no disponible",
    # Italian
    r"risposta autom|fuori (?:ufficio|sede)|assen[tz]|in ferie|ferie\b|sono (?:assente|in ferie|fuori)|messaggio automatico|notifica di assenza",
    # Portuguese
    r"resposta autom|fora do escrit|aus(?:ê|e)ncia|ausente|de f(?:é|e)rias|f(?:é|e)rias\b|estou (?:ausente|de f(?:é|e)rias)|mensagem autom|fora da empresa",
    # Russian, Kazakh, Ukrainian
    r"авто(?:матическ\w*|мат\w*)?[- ]?(?:ответ|сообщен|уведомлен)|автоответ|(?:я )?(?:в|нахожусь в) отпуск|отпуск\b|отсутств|вне офиса|нет на месте|автомати(?:чна|чне) (?:відповідь|повідом)|автовідповід|відпустк|автоматты (?:жауап|түрде)|демалыст|кеңседе жоқ",
    # Turkish
    r"otomatik (?:yan(?:ı|i)t|cevap|ileti)|ofis d(?:ı|i)ş(?:ı|i)|izinde(?:yim)?|y(?:ı|i)ll(?:ı|i)k izin|tatilde|ofiste değil",
    # Greek
    r"αυτόματη απάντηση|αυτόματο μήνυμα|εκτός γραφείου|απουσ(?:ί|ι)α|σε άδεια|άδεια\b|διακοπές|λείπω",
    # Arabic, Persian, Hebrew
    r"رد (?:تلقائي|آلي|الي)|الرد التلقائي|خارج المكتب|إجازة|اجازة|في إجازة|غائب|غياب|پاسخ خودکار|خارج از دفتر|תשובה אוטומטית|מענה אוטומטי|מחוץ למשרד|בחופשה",
    # Dutch, the north, the east
    r"automatisch (?:antwoord|bericht|svar)|afwezig|niet aanwezig|buiten (?:kantoor|het kantoor)|met vakantie|op vakantie|autosvar|automatiskt? svar|autom\. svar|frånvar|fravær|ikke (?:på|til) kontoret|på semester|semester\b|ferie\b|på ferie|ej på kontoret|inte på kontoret|automaattinen vastaus|poissa|lomalla|olen poissa|poissaolo",
    r"automatyczna odpowied|autoodpowied|poza biurem|nieobecno|urlop\b|na urlopie|jestem (?:na urlopie|poza)|automatick(?:á|a) odpov|automatická zpráva|mimo kancel|dovolen|nepřítomn|neprítomn|automatikus válasz|házon kívül|szabadságon|r(?:ă|a)spuns automat|(?:î|i)n afara birou|automatski odgovor|odsut|samodejni odgovor|автоматичен отговор|извън офиса",
    # Asia
    r"自動返信|自動応答|不在|休暇|お問い合わせ(?:ありがとう|を受け)|外出|自动(?:回复|答复|应答|回覆)|自動(?:回覆|回复|答覆)|休假|不在办公室|不在辦公室|외출|부재|자동 ?(?:응답|회신|답장)|휴가|balasan otomatis|jawapan automatik|trả lời tự động|ตอบกลับอัตโนมัติ|ไม่อยู่",
)  # fmt: skip
_ABSENCE = re.compile(r"[\s\W]{0,4}(?:" + "|".join(f"(?:{words})" for words in _ABSENCES) + ")", re.IGNORECASE)

_DAEMON = re.compile(
    r"mailer[-_. ]?daemon|mail[-_. ]?daemon|mdaemon|post ?master|mail delivery|delivery (?:sub)?system|mail(?:er)? (?:system|server|administrator|router|gateway|service|agent|transfer)|mailsystem|mailserver|system ?administrat|systemadministrator|administrat(?:eur|ador|or) (?:système|do sistema|del sistema|di sistema)"
    r"|administrateur syst|administrador de(?:l)? (?:sistema|correo)|amministratore di sistema|systembeheerder|systemadminist|systemansvarig|internet mail delivery|pmdf|mailadmin|mail-?admin|microsoft exchange|mailmaster|non-?delivery|undeliver|returned mail|mail_?delivery|mta@|smtpd?@|smtp32|daemon@|<?bounces?@|bounce-?(?:notification|handler)|mail-?err|mailrouter|mailsweeper|messagelabs|amavis|content-?filter|interscan|imss|notification@|ndr@|dsn@|delivery-?(?:status|failure|notification)|autoreply@|системный администратор|почтовая система|メール(?:配送|配信|サーバ|システム)|システム管理者|系统退信|系統管理員|系统管理员|邮件系统|메일 ?(?:시스템|서버|관리자)",
    re.IGNORECASE,
)
#: How the subject of a bounce is worded.
_RETURNED = re.compile(
    r"undeliver|returned (?:mail|to sender|message|e-?mail)|return to sender|delivery (?:status )?(?:notification|notice|report|fail|error|problem|status|unsuccess|has failed|incomplete|attempt)|deliverystatus|(?:mail|message|e-?mail|delivery)(?: \w+){0,4} (?:fail\w*|error|problem|not delivered|rejected|returned|bounced|undeliver\w*|could not be|cannot be|incomplete)|non[- ]?(?:delivery|recap|remis|deliverable)|failure notice|failure notification|(?:^|\W)failure(?:$|\W)|delivery ?(?:failed|failure)|failed (?:mail|delivery|message)|could ?n[o']t (?:be )?(?:deliver|send)|(?:can|could)not (?:be )?(?:deliver|send|sent)|unable to deliver|not (?:be )?delivered|unknown (?:user|recipient)|user unknown|no such user|mailbox (?:full|unavailable)|bounce[ds]?\b|nondeliverable|warning: (?:could not|message|mail)|mail (?:system )?error|message status|mail (?:could|not|warning)|error (?:sending|in|delivering)|problems? (?:sending|delivering|with)|message you sent|mail you sent|rejected"
    r"|unzustellbar|nicht zu(?:gestellt|stellbar)|(?:zustellung|übermittlung)s?(?:\w* )?(?:fehl|problem|status|nicht)|fehler bei|rückläufer|fehlgeschlagen|zustell"
    r"|non remis|non distribu|échec|echec|impossible de (?:remettre|distribuer)|retour(?:né| de)|notification d'état|avis de non"
    r"|no (?:se )?(?:pudo|puede|entreg|ha podido)|devuelto|no entregad|error de entrega|fallo|devolución|notificación de estado"
    r"|não (?:foi )?(?:entreg|pôde)|nao entreg|devolvid|falha (?:na|de) entrega|mensagem não|retornad|mancat(?:a|o) (?:consegna|recapito)|non (?:recapit|consegnat)|impossibile (?:recapitare|consegnare)|errore di consegna"
    r"|onbestelbaar|niet (?:be|af)(?:zorgd|gelever|steld)|aflever|kunde inte levereras|ej levererat|olever|kunne ikke leveres|ikke levert|uleverbar|toimitus|perille|niedostarczon|nie (?:można )?dostarcz|zwrot|zwrócon|nedoručit|nedoruč|doručení|kézbesíth|kézbesítési|nelivrat|teslim edil|iletilem|gönderilem|недостав|не доставл|возврат|ошибка доставки|невозможно доставить|не удалось доставить|не доставлено|недоставлен|αποτυχία|μη παραδοτ|επιστροφή"
    r"|配信|配送|送信(?:エラー|でき|失敗|不)|エラー|不達|届きません|届け|返送|戻り|退信|退回|投递|投遞|未送达|无法(?:送达|投递|发送)|系统退信|傳送失敗|传送失败|無法(?:傳遞|遞送|投遞|送達)|반송|전송 ?실패|배달|발송 ?실패|배달되지|فشل|تعذر|لم يتم (?:تسليم|التسليم)|تسليم|נכשלה|לא ניתן למסור|không thể (?:gửi|chuyển)|ส่งไม่|tidak (?:terkirim|dapat)",
    re.IGNORECASE,
)  # fmt: skip
_CHALLENGE = re.compile(
    r"(?:confirm|verify|verif\w*) (?:your|that you|you are|the) (?:message|e-?mail|mail|sender|human|identity|a human|are)|sender (?:verification|confirmation|authoris|authoriz)|action required.{0,40}deliver|challenge|needs? your (?:confirmation|approval)|are you (?:a )?human|anti-?spam verification|whitelist request|boxbe|spam ?arrest|prove you",
    re.IGNORECASE,
)
_WORD = re.compile(r"[\s;(]")
_NULL_SENDERS = frozenset({"", "mailer-daemon"})
_AWAY_MARKS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-autogenerated", "x-mail-autoreply", "x-auto-reply",
               "x-vacation", "x-autoreply-from", "x-auto-reply-from", "auto-reply", "x-facebook-notify-autoreply")  # fmt: skip
_BULK = ("auto_reply", "auto-reply", "autoreply", "bulk", "junk")


def is_absence(subject: str) -> bool:
    """Whether a subject begins like the note of somebody who is away."""
    return _ABSENCE.match(_REPLY.sub("", subject[:300])) is not None


def is_marked(headers: Headers) -> bool:
    """Whether headers say that a program wrote an answer (RFC 3834, and what others use)."""
    submitted = _first_word(headers, "auto-submitted")
    if submitted not in ("", "no"):
        return True
    suppress = {word.strip() for word in headers.first("x-auto-response-suppress").lower().split(",")}
    return (
        bool(headers.all(*_AWAY_MARKS))
        or bool(suppress & {"all", "oof", "autoreply"})
        or headers.first("x-post-messageclass").split(";")[0].strip() == "9"
        or bool(headers.all("x-ms-exchange-inbox-rules-loop", "x-ms-exchange-generated-message-source"))
        or _first_word(headers, "precedence") in _BULK
    )


def is_of_many(headers: Headers) -> bool:
    """Whether a message goes to many: no wish of one person."""
    return _first_word(headers, "precedence") in ("bulk", "junk", "list")


def is_challenge(subject: str) -> bool:
    """Whether somebody's program asks us to prove that we are no program."""
    return _CHALLENGE.search(subject[:300]) is not None


def is_from_a_mail_server(headers: Headers) -> bool:
    """Whether the author is called as mail servers call themselves."""
    return any(_DAEMON.search(value[:300]) for value in headers.all("from", "sender"))


def says_returned(subject: str) -> bool:
    """Whether a subject is worded like that of a bounce."""
    return _RETURNED.search(subject[:300]) is not None


def has_no_sender(headers: Headers, sender: str | None) -> bool | None:
    """Whether the envelope has no sender; None if nothing says so.

    :param sender: of the envelope, where it is known.
    """
    envelope = headers.all("return-path") if sender is None else [sender]
    if not envelope:
        return None
    names = (address.strip().lower().rsplit("@", 1)[0].strip('<>" ') for address in envelope)
    return any(name in _NULL_SENDERS for name in names)


def _first_word(headers: Headers, name: str) -> str:
    return _WORD.split(headers.first(name).strip(), maxsplit=1)[0].lower()
