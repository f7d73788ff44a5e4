"""What the columns of other programs' files are called, in the languages of the site.

Each spelling is folded when it is compared: case, accents, spaces, hyphens and underscores make no difference.
"""

COUNTRY = (
    *("country name", "country code", "land", "pays", "paese", "nazione", "país", "χώρα", "страна", "ел", "мемлекет"),
    *("ülke", "البلد", "بلد", "الدولة", "دولة"),
)

#: column → what else it may be called; of several that a file has, the first here is read
SUPPORTERS = {
    "email": (
        *("email address", "mail", "mail address", "primary email", "subscriber email", "contact email"),
        *("e-mail-adresse", "mailadresse", "adresse e-mail", "adresse mail", "courriel", "adresse électronique"),
        *("adresse courriel", "indirizzo e-mail", "indirizzo di posta elettronica", "posta elettronica"),
        *("correo electrónico", "correo", "dirección de correo electrónico", "dirección de correo"),
        *("dirección de e-mail", "ηλεκτρονική διεύθυνση", "διεύθυνση e-mail", "διεύθυνση ηλεκτρονικού ταχυδρομείου"),
        *("электронная почта", "адрес электронной почты", "эл. почта", "почта", "имейл", "электрондық пошта"),
        *("электрондық пошта мекенжайы", "e-posta", "e-posta adresi", "eposta", "البريد الإلكتروني"),
        *("عنوان البريد الإلكتروني", "الايميل", "بريد إلكتروني"),
    ),
    # How somebody wishes to be addressed: their first name, where a file has it apart from the others.
    "name": (
        *("first name", "given name", "forename", "vorname", "prénom", "nome", "nombre", "nombre de pila", "όνομα"),
        *("имя", "есімі", "аты", "ad", "adı", "الاسم الأول", "الاسم", "full name", "display name", "your name"),
        *("nom complet", "vollständiger name", "nome completo", "nombre completo", "ονοματεπώνυμο", "фио"),
        *("аты-жөні", "ad soyad", "adı soyadı", "الاسم الكامل"),
    ),
    "country": COUNTRY,
    "union": (
        *("trade union", "labour union", "labor union", "your union", "gewerkschaft", "syndicat", "sindacato"),
        *("sindicato", "συνδικάτο", "σωματείο", "профсоюз", "кәсіподақ", "sendika", "النقابة", "نقابة"),
    ),
    "language": (
        *("preferred language", "language code", "locale", "sprache", "langue", "lingua", "idioma", "γλώσσα", "язык"),
        *("тіл", "dil", "اللغة", "لغة"),
    ),
}

#: likewise for a file of unions
UNIONS = {"country": COUNTRY}
