"""Who lives in the demo: names of many scripts and places; nobody here exists."""

from __future__ import annotations

from dataclasses import dataclass

# Addresses under .invalid reach nobody (RFC 6761), so the demo can never mail anyone.
DOMAIN = "demo.invalid"


@dataclass(frozen=True)
class Person:
    """``address`` is the local part of the e-mail address; empty for somebody who gave none."""

    name: str
    address: str
    zone: str
    locale: str = "en"


PEOPLE = tuple(
    Person(*row)
    for row in (
        ("Amina Diallo", "amina.diallo", "Africa/Dakar", "fr"),
        ("Jonas Lindqvist", "jonas.lindqvist", "Europe/Stockholm"),
        ("محمد العلي", "mohammed.alali", "Asia/Riyadh", "ar"),
        ("王小明", "wang.xiaoming", "Asia/Shanghai", "zh"),
        ("Priya Raghavan", "priya.raghavan", "Asia/Kolkata"),
        ("Zoë van den Berg", "zoe.vandenberg", "Europe/Amsterdam"),
        ("佐藤 花子", "hanako.sato", "Asia/Tokyo"),
        ("Łukasz Wójcik", "lukasz.wojcik", "Europe/Warsaw"),
        ("María José Núñez", "mariajose.nunez", "America/Mexico_City"),
        ("김민준", "minjun.kim", "Asia/Seoul"),
        ("שירה לוי", "shira.levi", "Asia/Jerusalem"),
        ("Chukwuemeka Okafor", "emeka.okafor", "Africa/Lagos"),
        ("Анна Смирнова", "anna.smirnova", "Europe/Riga"),
        ("François Lefèvre", "francois.lefevre", "Europe/Paris", "fr"),
        ("Nguyễn Thị Hương", "huong.nguyen", "Asia/Ho_Chi_Minh"),
        ("Siobhán Ní Bhriain", "siobhan.nibhriain", "Europe/Dublin"),
        ("فاطمه رضایی", "fatemeh.rezaei", "Asia/Tehran"),
        ("Tomás Ferreira", "tomas.ferreira", "America/Sao_Paulo"),
        ("Ελένη Παπαδοπούλου", "eleni.papadopoulou", "Europe/Athens"),
        ("Kaimana Kealoha", "kaimana.kealoha", "Pacific/Honolulu"),
        ("Björk Stefánsdóttir", "bjork.stefansdottir", "Atlantic/Reykjavik"),
        ("李雅婷", "li.yating", "Asia/Taipei", "zh"),
        ("Wanjiru Kamau", "wanjiru.kamau", "Africa/Nairobi"),
        ("Søren Mikkelsen", "soren.mikkelsen", "Europe/Copenhagen"),
        ("علی حسن", "ali.hassan", "Asia/Karachi"),
        ("Ariadna Puig i Serra", "ariadna.puig", "Europe/Madrid"),
        ("Mele Tupou", "mele.tupou", "Pacific/Tongatapu"),
        ("Dmytro Kovalenko", "dmytro.kovalenko", "Europe/Kyiv"),
        ("Aroha Ngata", "aroha.ngata", "Pacific/Auckland"),
        ("สมชาย ใจดี", "somchai.jaidee", "Asia/Bangkok"),
        ("Ana-Maria Ionescu", "anamaria.ionescu", "Europe/Bucharest"),
        ("Thabo Mokoena", "thabo.mokoena", "Africa/Johannesburg"),
        ("रोहन शर्मा", "rohan.sharma", "Asia/Kolkata"),
        ("Grace O'Connor", "grace.oconnor", "America/New_York"),
        ("Yusuf Yıldız", "yusuf.yildiz", "Europe/Istanbul"),
        ("Inés Quispe Mamani", "ines.quispe", "America/La_Paz"),
        ("Émile Tremblay", "emile.tremblay", "America/Toronto", "fr"),
        ("Kwame Asante", "kwame.asante", "Africa/Accra"),
        ("Hồ Văn Tâm", "tam.ho", "Asia/Ho_Chi_Minh"),
        ("Leilani Reyes", "leilani.reyes", "Asia/Manila"),
        ("Matteo Ricci", "matteo.ricci", "Europe/Rome"),
        ("خالد بن سعيد", "khalid.binsaid", "Africa/Casablanca", "ar"),
        ("Greta Vogel", "greta.vogel", "Europe/Berlin"),
        ("田中 健", "ken.tanaka", "Asia/Tokyo"),
        ("Jack Whitlock", "jack.whitlock", "Australia/Sydney"),
        ("Nadia Benali", "nadia.benali", "Africa/Algiers", "fr"),
        ("Petra Horváthová", "petra.horvathova", "Europe/Bratislava"),
        ("Diego Fuentes", "diego.fuentes", "America/Santiago"),
        ("Tanvir Ahmed", "tanvir.ahmed", "Asia/Dhaka"),
        ("Sofia Lindholm", "sofia.lindholm", "Europe/Helsinki"),
        ("Mei-Ling Chan", "meiling.chan", "Asia/Hong_Kong", "zh"),
        ("Samuel Tesfaye", "samuel.tesfaye", "Africa/Addis_Ababa"),
        ("Olivia Hart", "olivia.hart", "America/Los_Angeles"),
        ("Gábor Szabó", "gabor.szabo", "Europe/Budapest"),
        ("ci-helper", "", "UTC"),
        ("kestrel42", "", "Europe/London"),
        ("Old Oak", "", "America/Chicago"),
        ("小林", "", "Asia/Tokyo"),
        ("مسافر", "", "Africa/Cairo"),
        ("ünal", "", "Europe/Istanbul"),
    )
)

# Who paid for a tier, and how many days before the end of the demo that began.
# Members with an account, but no password: an admin can act as them to look around.
ACCOUNTS = {
    "jonas.lindqvist": ("User",),
    "priya.raghavan": ("User",),
    "zoe.vandenberg": ("User", "Moderator"),
}
TIERS = {
    "amina.diallo": (("pro", 640), ("enterprise", 210)),
    "wang.xiaoming": (("enterprise", 500),),
    "zoe.vandenberg": (("pro", 600),),
    "minjun.kim": (("pro", 420),),
    "francois.lefevre": (("pro", 380), ("free", 120)),
    "emeka.okafor": (("pro", 300), ("enterprise", 45)),
    "eleni.papadopoulou": (("pro", 240),),
    "grace.oconnor": (("enterprise", 180),),
    "wanjiru.kamau": (("pro", 90),),
    "aroha.ngata": (("pro", 20),),
}

# (author, title, body, status)
SUGGESTIONS = (
    ("zoe.vandenberg", "A dark theme for the charts", "The lines are hard to see at night.", "done"),
    ("hanako.sato", "Show the streak on the profile", "I would like to see how long mine is.", "done"),
    ("thabo.mokoena", "A badge for translators", "Forty people translate; none has a badge for it.", "planned"),
    ("priya.raghavan", "Weekly summary by e-mail", "One message on Monday instead of many.", "planned"),
    ("shira.levi", "Right-to-left tables", "Numbers jump to the wrong side in Hebrew.", "planned"),
    ("jack.whitlock", "Quiet hours", "Please do not notify me at 3 in the morning.", "new"),
    ("ines.quispe", "Spanish documentation", "I can begin with the guide for members.", "new"),
    ("gabor.szabo", "Export my contributions", "A CSV file for my yearly report.", "new"),
    ("kaimana.kealoha", "Meet in the Pacific time zone", "All meetings are in my night.", "new"),
    ("sofia.lindholm", "Points for reviews", "Reviewing takes as long as writing.", "new"),
    ("diego.fuentes", "Pay rewards twice on Fridays", "It would be more fun.", "declined"),
    ("olivia.hart", "Remove the leaderboard", "It makes some of us anxious. At least let me opt out.", "declined"),
)
