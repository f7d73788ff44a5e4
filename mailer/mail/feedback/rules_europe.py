"""What mail servers say in the languages of Europe, in Turkish and Indonesian."""

from mailer.mail.feedback.rules import Rule
from mailer.mail.feedback.types import Category as C

_GAP = r"[^.;!?]{0,60}?"  # within a sentence

_GERMAN = r"(?:empf(?:ä|ae|�)nger\w*|benutzer\w*|nutzer\w*|adress\w*|postfach|mailbox|mail-?adresse|konto|account|teilnehmer|kunde|user)"
_FRENCH = r"(?:utilisateur|destinataire|adresse|bo(?:î|i)te|compte|abonn(?:é|e)|usager)"
_SPANISH = r"(?:usuario|destinatario|direcci(?:ó|o)n|buz(?:ó|o)n|cuenta|casilla)"
_PORTUGUESE = r"(?:usu(?:á|a)rio|utilizador|destinat(?:á|a)rio|endere(?:ç|c)o|caixa postal|caixa de (?:correio|entrada)|conta|mailbox)"
_ITALIAN = r"(?:utente|destinatario|indirizzo|casella|account|mailbox)"
_DUTCH = r"(?:gebruiker|ontvanger|geadresseerde|(?:e-?mail)?adres|postbus|mailbox|postvak|account)"
_NORDIC = r"(?:mottagar\w*|mottaker\w*|modtager\w*|anv(?:ä|a)ndar\w*|bruger\w*|bruker\w*|(?:e-?post)?adress\w*|brevl(?:å|a)da\w*|postkasse\w*|postboks\w*|konto\w*)"
_POLISH = r"(?:u(?:ż|z)ytkownik\w*|odbiorc\w*|adres\w*|skrzynk\w*|kont\w*|adresat\w*)"
_CZECH = r"(?:u(?:ž|z)ivatel\w*|p(?:ř|r)(?:í|i)jemc\w*|adres\w*|schr(?:á|a)nk\w*|(?:ú|u)(?:č|c)et|pou(?:ž|z)(?:í|i)vate(?:ľ|l)\w*|pr(?:í|i)jemc\w*)"
_RUSSIAN = r"(?:пользовател\w*|получател\w*|адресат\w*|адрес\w*|ящик\w*|уч(?:е|ё)тн\w+ запис\w*|аккаунт\w*|користувач\w*|одержувач\w*|скриньк\w*|имя)"
_TURKISH = r"(?:kullan(?:ı|i)c(?:ı|i)\w*|al(?:ı|i)c(?:ı|i)\w*|adres\w*|posta kutusu|hesa(?:p|b)\w*|e-?posta)"

EUROPE = (
    # --- German
    Rule(C.US, r"absender\w*(?: \S+){0,4} (?:abgelehnt|nicht|ungültig|existiert|unbekannt)", "550 Absenderadresse abgelehnt"),
    Rule(C.RATE, r"zu viele (?:mails|nachrichten|verbindungen|empf)|zu schnell|(?:sende|versand)limit", "450 zu viele Mails in kurzer Zeit"),
    Rule(C.SIZE, r"(?:nachricht|mail)(?: \S+){0,3} zu gro(?:ß|ss)|maximale(?:n|r)? (?:nachrichten)?gr(?:ö|oe)(?:ß|ss)e", "552 Ihre Nachricht ist zu groß"),
    Rule(C.FULL, rf"{_GERMAN}{_GAP}(?:voll\b|überfüllt|ueberfuellt|limit|überschritten|erschöpft)|speicher(?:platz|kontingent|limit)|kontingent|quota überschritten", "552 Das Postfach ist voll"),
    Rule(C.POLICY, r"sperrliste|schwarze liste|richtlinie|zugriff verweigert|(?:nicht|keine) (?:die )?(?:berecht\w*|erlaubt|gestattet)|verweigert|wurde blockiert", "554 Zugriff verweigert", unless=r"unbekannt|existiert nicht"),
    Rule(C.CONTENT, r"spam-?verdacht|virus gefunden|unerwünschte|als spam", "554 unerwünschte Werbung"),
    Rule(C.NO_DOMAIN, rf"(?:domain|domäne|rechner\w*|hostname|zielserver){_GAP}(?:existiert nicht|nicht (?:gefunden|existier|bekannt|vorhanden|erreichbar|aufgel)|unbekannt|ungültig)|unbekannte (?:domain|domäne)", "Die Domain existiert nicht"),
    Rule(C.DISABLED, rf"{_GERMAN}{_GAP}(?:gesperrt|deaktiviert|stillgelegt|inaktiv|abgeschaltet|geschlossen|abgelaufen)", "550 Das Postfach ist gesperrt"),
    Rule(C.NO_MAILBOX, rf"{_GERMAN}{_GAP}(?:unbekannt|existier\w* (?:hier |dort |leider )?nicht|nicht (?:\w+ )?(?:gefunden|existent|existier\w*|vorhanden|bekannt|ermittelt|g(?:ü|ue)ltig|vergeben|eingerichtet)|ung(?:ü|ue)ltig)|unbekannte\w* {_GERMAN}|kein\w* (?:solche\w* )?{_GERMAN}|gibt es (?:hier |dort )?nicht|nicht (?:mehr )?(?:bei|in) (?:uns|unserem)", "550 Empfänger unbekannt", unless=r"absender|domain|rechner"),
    Rule(C.TEMPORARY, r"zeitüberschreitung|später (?:noch|wieder|erneut)|vorübergehend|verbindung(?: \S+){0,6} (?:fehlgeschlagen|abgelehnt|abgebrochen|nicht)|nicht erreichbar|antwortet nicht", "Der Zielserver antwortet nicht"),
    # --- French
    Rule(C.US, r"exp(?:é|e)diteur(?: \S+){0,4} (?:refus|rejet|inconnu|invalide|non|n'existe)", "550 adresse de l'expéditeur refusée"),
    Rule(C.RATE, r"trop de (?:messages|courriels|connexions|mails|destinataires)|trop (?:vite|rapide)", "450 trop de messages, ralentissez"),
    Rule(C.SIZE, r"message(?: \S+){0,4} trop (?:gros|volumineux|grand|lourd)|taille (?:maximale|du message)", "552 le message est trop volumineux"),
    Rule(C.FULL, rf"(?:bo(?:î|i)te|messagerie|compte){_GAP}(?:pleine?\b|satur|d(?:é|e)pass)|quota (?:d(?:é|e)pass|atteint)|(?:espace|capacit(?:é|e)) (?:\S+ ){{0,3}}(?:insuffisant|d(?:é|e)pass|atteint)", "552 la boîte est pleine"),
    Rule(C.POLICY, r"liste noire|acc(?:è|e)s refus|pas autoris|non autoris|interdit|politique de|service refus(?:é|e)", "554 accès refusé", unless=r"inconnu|n'existe pas"),
    Rule(C.CONTENT, r"ind(?:é|e)sirable|pourriel", "554 courrier indésirable"),
    Rule(C.NO_DOMAIN, rf"(?:domaine|serveur|h(?:ô|o)te){_GAP}(?:n'existe pas|inexistant|introuvable|inconnu|pas (?:é|e)t(?:é|e) trouv)", "le domaine est introuvable"),
    Rule(C.DISABLED, rf"{_FRENCH}{_GAP}(?:d(?:é|e)sactiv|suspendu|bloqu|inacti|ferm(?:é|e)|expir|r(?:é|e)sili)", "550 ce compte est suspendu"),
    Rule(C.NO_MAILBOX, rf"{_FRENCH}{_GAP}(?:inconnue?|n'existe (?:pas|plus)|inexistante?|introuvable|invalide|non (?:trouv|valide|reconnu)|(?:pas|plus) (?:(?:é|e)t(?:é|e) )?(?:trouv|reconnu|valide|attribu))|aucun {_FRENCH}", "550 utilisateur inconnu", unless=r"exp(?:é|e)diteur|domaine"),
    Rule(C.TEMPORARY, r"(?:r(?:é|e)essay|plus tard|temporair)|d(?:é|e)lai (?:\S+ )?d(?:é|e)pass|connexion (?:\S+ )?(?:refus|impossible|interrompu|perdu)|ne r(?:é|e)pond pas|injoignable", "451 réessayez plus tard"),
    # --- Spanish
    Rule(C.US, r"remitente(?: \S+){0,4} (?:rechaz|no |inv(?:á|a)lid|desconocid)", "550 remitente no válido"),
    Rule(C.RATE, r"demasiad[oa]s (?:mensajes|correos|conexiones)|l(?:í|i)mite de env(?:í|i)o", "450 demasiados mensajes"),
    Rule(C.SIZE, r"mensaje(?: \S+){0,4} (?:demasiado grande|excede)|tama(?:ñ|n)o m(?:á|a)ximo", "552 el mensaje es demasiado grande"),
    Rule(C.FULL, rf"(?:buz(?:ó|o)n|casilla|cuenta|cuota){_GAP}(?:llen[oa]|sobrepas|exced|superad|sin espacio)|espacio (?:insuficiente|disponible)|cuota (?:de \S+ )?(?:exced|super)", "552 el buzón está lleno"),
    Rule(C.POLICY, r"lista negra|acceso denegado|no (?:est(?:á|a) )?(?:autorizad|permitid)|pol(?:í|i)tica|bloquead[oa] por", "554 acceso denegado", unless=r"desconocid|no existe"),
    Rule(C.CONTENT, r"correo (?:no deseado|basura)", "554 correo no deseado"),
    Rule(C.NO_DOMAIN, rf"(?:dominio|servidor){_GAP}(?:no existe|desconocid|no (?:se )?(?:ha )?(?:sido )?encontr|inexistente)", "el dominio no existe"),
    Rule(C.DISABLED, rf"{_SPANISH}{_GAP}(?:deshabilitad|desactivad|suspendid|bloquead|inactiv|cancelad|cerrad)", "550 cuenta suspendida"),
    Rule(C.NO_MAILBOX, rf"{_SPANISH}{_GAP}(?:desconocid|no existe|inexistente|inv(?:á|a)lid|no (?:es )?v(?:á|a)lid|no (?:\S+ ){{0,3}}(?:encontr|registrad|localiz|reconocid)|no es correct)|no (?:existe|hay) (?:\S+ ){{0,3}}{_SPANISH}", "550 usuario desconocido", unless=r"remitente|dominio"),
    Rule(C.TEMPORARY, r"(?:int(?:é|e)ntel|intente|m(?:á|a)s tarde|temporal)|tiempo (?:de espera|agotado)|conexi(?:ó|o)n (?:\S+ )?(?:rechaz|agotad|perdid)|no responde", "451 inténtelo más tarde"),
    # --- Portuguese
    Rule(C.US, r"remetente(?: \S+){0,4} (?:rejeit|n(?:ã|a)o |inv(?:á|a)lid|desconhecid)", "550 remetente inválido"),
    Rule(C.RATE, r"(?:muitas|excesso de) (?:mensagens|conex|e-?mails)|limite de envio", "450 muitas mensagens"),
    Rule(C.SIZE, r"mensagem(?: \S+){0,4} (?:muito grande|excede)|tamanho m(?:á|a)ximo", "552 mensagem muito grande"),
    Rule(C.FULL, rf"(?:caixa|conta|cota|quota|mailbox){_GAP}(?:chei[oa]|lotad|exced|ultrapass|esgotad)|espa(?:ç|c)o (?:insuficiente|esgotad)|sem espa(?:ç|c)o", "552 caixa postal cheia"),
    Rule(C.POLICY, r"lista negra|acesso negado|n(?:ã|a)o (?:autorizad|permitid)|pol(?:í|i)tica", "554 acesso negado", unless=r"desconhecid|n(?:ã|a)o existe"),
    Rule(C.NO_DOMAIN, rf"(?:dom(?:í|i)nio|servidor){_GAP}(?:n(?:ã|a)o existe|desconhecid|n(?:ã|a)o (?:foi )?encontrad|inexistente)", "o domínio não existe"),
    Rule(C.DISABLED, rf"{_PORTUGUESE}{_GAP}(?:desativad|desabilitad|suspens|bloquead|inativ|cancelad|encerrad)", "550 conta suspensa"),
    Rule(C.NO_MAILBOX, rf"{_PORTUGUESE}{_GAP}(?:desconhecid|n(?:ã|a)o existe|inexistente|inv(?:á|a)lid|n(?:ã|a)o (?:\S+ ){{0,2}}(?:encontr|localiz|cadastrad|v(?:á|a)lid|reconhecid))", "550 usuário desconhecido", unless=r"remetente|dom(?:í|i)nio"),
    Rule(C.TEMPORARY, r"tente (?:novamente|mais tarde)|mais tarde|tempor(?:á|a)ri|tempo (?:esgotado|limite)|n(?:ã|a)o responde|conex(?:ã|a)o (?:\S+ )?(?:recusad|perdid)", "451 tente mais tarde"),
    # --- Italian
    Rule(C.US, r"mittente(?: \S+){0,4} (?:rifiut|respint|non |sconosciut)", "550 mittente non valido"),
    Rule(C.RATE, r"tropp[ie] (?:messaggi|connession|e-?mail)", "450 troppi messaggi"),
    Rule(C.SIZE, r"messaggio(?: \S+){0,4} troppo grande|dimension[ei] massim", "552 il messaggio è troppo grande"),
    Rule(C.FULL, rf"(?:casella|mailbox|account|quota){_GAP}(?:pien[ao]|superat|esaurit)|spazio (?:\S+ ){{0,2}}(?:esaurit|insufficiente)", "552 la casella è piena"),
    Rule(C.POLICY, r"accesso negato|non (?:autorizzat|consentit|permess)|lista nera", "554 accesso negato", unless=r"sconosciut|non esiste"),
    Rule(C.NO_DOMAIN, rf"(?:dominio|server){_GAP}(?:non esiste|inesistente|sconosciut|non trovat)", "il dominio non esiste"),
    Rule(C.DISABLED, rf"{_ITALIAN}{_GAP}(?:disabilitat|disattivat|sospes|bloccat|inattiv|non (?:è )?attiv|scadut|chius)", "550 casella disabilitata"),
    Rule(C.NO_MAILBOX, rf"{_ITALIAN}{_GAP}(?:sconosciut|non esiste|inesistente|non (?:\S+ ){{0,3}}(?:trovat|valid|esistente|riconosciut|conosciut)|errat[ao])", "550 utente sconosciuto", unless=r"mittente|dominio"),
    Rule(C.TEMPORARY, r"(?:riprov|più tardi|temporane)|tempo scaduto|non risponde|connessione (?:\S+ )?(?:rifiutat|persa|scadut)", "451 riprovare più tardi"),
    # --- Dutch
    Rule(C.FULL, rf"(?:postbus|mailbox|postvak|account|quota){_GAP}(?:\bvol\b|overschreden)", "552 de mailbox is vol"),
    Rule(C.NO_DOMAIN, rf"(?:domein\w*|hostnaam){_GAP}(?:bestaat niet|niet gevonden|onbekend)", "het domein bestaat niet"),
    Rule(C.DISABLED, rf"{_DUTCH}{_GAP}(?:geblokkeerd|uitgeschakeld|opgeheven|inactief|gedeactiveerd)", "550 account geblokkeerd"),
    Rule(C.NO_MAILBOX, rf"{_DUTCH}{_GAP}(?:onbekend|bestaat (?:hier )?niet|niet (?:\S+ )?(?:gevonden|bekend|bestaand|geldig)|ongeldig)|onbekende {_DUTCH}|geen {_DUTCH}", "550 gebruiker onbekend", unless=r"afzender|domein"),
    Rule(C.TEMPORARY, r"probeer (?:\S+ ){0,3}later|tijdelijk|verbinding (?:\S+ )?(?:mislukt|geweigerd)", "451 probeer het later"),
    # --- Swedish, Danish, Norwegian, Finnish
    Rule(C.FULL, rf"(?:brevl(?:å|a)d\w*|postkasse\w*|postboks\w*|postlaatikko|kvot\w*|konto\w*|innboks\w*){_GAP}(?:full\b|fuld\b|fullt|täynnä|överskrid|overskred)", "552 brevlådan är full"),
    Rule(C.NO_DOMAIN, rf"dom(?:ä|æ|a)n\w*{_GAP}(?:finns (?:inte|ej)|findes ikke|finnes ikke|ikke fundet|okänd|ukendt)|domæne\w*{_GAP}findes ikke", "domänen finns inte"),
    Rule(C.DISABLED, rf"{_NORDIC}{_GAP}(?:sp(?:ä|æ|e)rr|inaktiv|lukket|avstängd|deaktiver)", "550 kontot är spärrat"),
    Rule(C.NO_MAILBOX, rf"{_NORDIC}{_GAP}(?:okänd|ukendt|ukjent|finns (?:inte|ej)|findes ikke|finnes ikke|hittades inte|ikke (?:\S+ )?(?:fundet|funnet|findes)|inte (?:hittas|finns)|ogiltig|ugyldig)|(?:okänd|ukendt|ukjent) {_NORDIC}|(?:käyttäjä\w*|vastaanottaja\w*|osoite\w*|osoitetta|tuntematon){_GAP}(?:tuntematon|ei (?:ole|löydy|löytynyt)|käyttäjä|vastaanottaja)", "550 mottagaren finns inte", unless=r"avsändar|afsender|dom(?:ä|æ)n"),
    # --- Polish
    Rule(C.FULL, rf"(?:skrzynk\w*|kont\w*|limit\w*){_GAP}(?:pełn|przepełnion|przekroczon)|brak miejsca", "552 skrzynka jest pełna"),
    Rule(C.NO_DOMAIN, rf"domen\w*{_GAP}(?:nie istnieje|nieznan|nie znalezion)", "domena nie istnieje"),
    Rule(C.DISABLED, rf"{_POLISH}{_GAP}(?:zablokowan|nieaktywn|wyłączon|zawieszon)", "550 konto zablokowane"),
    Rule(C.NO_MAILBOX, rf"{_POLISH}{_GAP}(?:nieznan|nie istnieje|nie (?:\S+ )?(?:znalezion|znaleziono|ma\b)|nieprawidłow)|(?:nieznany|brak|nie ma) (?:takiego )?{_POLISH}", "550 nieznany użytkownik", unless=r"nadawc|domen"),
    # --- Czech and Slovak
    Rule(C.FULL, rf"schr(?:á|a)nk\w*{_GAP}(?:pln|přeplněn|preplnen)|kvót\w*{_GAP}(?:překroč|prekroč)", "552 schránka je plná"),
    Rule(C.NO_DOMAIN, rf"dom(?:é|e)n\w*{_GAP}(?:neexistuje|nebyla nalezena|neznám)", "doména neexistuje"),
    Rule(C.DISABLED, rf"{_CZECH}{_GAP}(?:zablokován|neaktivní|zrušen|deaktivov)", "550 účet je zablokován"),
    Rule(C.NO_MAILBOX, rf"{_CZECH}{_GAP}(?:neexistuje|nezn(?:á|a)m|nebyl\w* nalezen|nenalezen|neplatn|nen(?:í|i) zn(?:á|a)m)|nezn(?:á|a)m\w* {_CZECH}", "550 uživatel neexistuje", unless=r"odesílatel|dom(?:é|e)n"),
    # --- Russian and Ukrainian
    Rule(C.US, r"отправител\w*(?: \S+){0,4} (?:отклон|не |отвер|неизвест)", "550 адрес отправителя отклонён"),
    Rule(C.RATE, r"слишком много|превышен\w* (?:\S+ )?(?:лимит\w*|количеств\w*) (?:сообщен|писем|отправ)|слишком часто", "450 слишком много писем"),
    Rule(C.SIZE, r"(?:сообщени|письмо)\S*(?: \S+){0,3} слишком (?:велик|больш)|размер (?:сообщения|письма)", "552 письмо слишком большое"),
    Rule(C.FULL, rf"ящик\w*{_GAP}(?:переполнен|полон|заполнен)|квот\w*{_GAP}(?:превыш|исчерпан)|превышен\w*{_GAP}квот|недостаточно места|скриньк\w*{_GAP}переповнен", "552 ящик переполнен"),
    Rule(C.POLICY, r"ч(?:е|ё)рн\w+ спис|доступ запрещ|запрещен|политик|заблокирован\w* (?:ip|ваш)", "554 доступ запрещён", unless=r"не существует|неизвест"),
    Rule(C.CONTENT, r"спам|вирус|нежелательн", "554 похоже на спам"),
    Rule(C.NO_DOMAIN, rf"домен\w*{_GAP}(?:не существует|не найден|неизвест|не іс)", "домен не существует"),
    Rule(C.DISABLED, rf"{_RUSSIAN}{_GAP}(?:заблокирован|отключ(?:е|ё)н|неактив|приостановлен|выключен|деактивир|заблоковано)", "550 ящик заблокирован"),
    Rule(C.NO_MAILBOX, rf"{_RUSSIAN}{_GAP}(?:не ?существует|не ?найден|неизвест|отсутству|недействител|не зарегистрирован|не обнаружен|не (?:і|i)снує|невідом|не знайден)|(?:нет|неизвестн\w+|несуществующ\w+) (?:так\w+ )?(?:\S+ )?{_RUSSIAN}", "550 нет такого пользователя", unless=r"отправител|домен"),
    Rule(C.TEMPORARY, r"попробуйте позже|повторите|временн|врем\w+ ожидания|соединени\w+(?: \S+){0,3} (?:отклон|разорв|прерв)|не отвечает|недоступен", "451 попробуйте позже"),
    # --- Turkish
    Rule(C.FULL, rf"(?:posta kutusu|hesap|kota)\w*{_GAP}(?:dolu|aş(?:ı|i)l|doldu)|kotası", "552 posta kutusu dolu"),
    Rule(C.NO_DOMAIN, rf"(?:alan ad(?:ı|i)|etki alan(?:ı|i)|domain)\w*{_GAP}(?:bulunamad|mevcut değil|yok)", "alan adı bulunamadı"),
    Rule(C.DISABLED, rf"{_TURKISH}{_GAP}(?:devre dışı|kapat(?:ı|i)l|askıya|pasif|bloke)", "550 hesap devre dışı"),
    Rule(C.NO_MAILBOX, rf"{_TURKISH}{_GAP}(?:bulunamad|mevcut değil|bilinmiyor|tanımlı değil|geçersiz|yok\b)|böyle bir {_TURKISH}|(?:bilinmeyen|geçersiz) {_TURKISH}", "550 böyle bir kullanıcı yok", unless=r"gönderen|alan adı"),
    # --- Hungarian, Romanian, Greek
    Rule(C.FULL, r"postafiók(?: \S+){0,4} (?:megtelt|tele)|(?:căsuța|cutia)(?: \S+){0,4} plin|γραμματοκιβώτιο(?: \S+){0,4} (?:πλήρες|γεμάτο)", "552 a postafiók megtelt"),
    Rule(C.NO_MAILBOX, r"(?:felhasználó|címzett|postafiók)(?: \S+){0,4} (?:nem létezik|ismeretlen|nem található)|ismeretlen (?:felhasználó|címzett)|(?:utilizator\w*|destinatar\w*|adres\w*)(?: \S+){0,4} (?:necunoscut|nu există|inexistent)|(?:χρήστης|παραλήπτης|διεύθυνση)(?: \S+){0,4} (?:δεν υπάρχει|άγνωστ|δεν βρέθηκε)|άγνωστος (?:χρήστης|παραλήπτης)", "550 ismeretlen felhasználó"),
    # --- Indonesian
    Rule(C.FULL, r"kotak (?:surat|masuk)[^.]{0,20}penuh", "552 kotak surat penuh"),
    Rule(C.NO_MAILBOX, r"(?:pengguna|penerima|alamat|akun)[^.]{0,25}tidak (?:ada|ditemukan|dikenal|valid)", "550 pengguna tidak ditemukan"),
)  # fmt: skip
