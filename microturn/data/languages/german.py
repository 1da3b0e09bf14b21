"""English and German: numbers, colours, things, people, places, short commands, courtesies. All in lower case."""

from microturn.data.languages.aligned import Language, Noun, Slots, english_article, pick_pair
from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases
from microturn.data.stage import Stage

_SMALL = (
    *("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)
_TENS = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
GREATEST_NUMBER = 100

NOUNS = (
    Noun("house", "houses", "haus", "häuser", "n"),
    Noun("car", "cars", "auto", "autos", "n"),
    Noun("book", "books", "buch", "bücher", "n"),
    Noun("table", "tables", "tisch", "tische", "m"),
    Noun("chair", "chairs", "stuhl", "stühle", "m"),
    Noun("dog", "dogs", "hund", "hunde", "m"),
    Noun("cat", "cats", "katze", "katzen", "f"),
    Noun("horse", "horses", "pferd", "pferde", "n"),
    Noun("bird", "birds", "vogel", "vögel", "m"),
    Noun("cow", "cows", "kuh", "kühe", "f"),
    Noun("apple", "apples", "apfel", "äpfel", "m"),
    Noun("lemon", "lemons", "zitrone", "zitronen", "f"),
    Noun("bottle", "bottles", "flasche", "flaschen", "f"),
    Noun("glass", "glasses", "glas", "gläser", "n"),
    Noun("cup", "cups", "tasse", "tassen", "f"),
    Noun("plate", "plates", "teller", "teller", "m"),
    Noun("door", "doors", "tür", "türen", "f"),
    Noun("window", "windows", "fenster", "fenster", "n"),
    Noun("key", "keys", "schlüssel", "schlüssel", "m"),
    Noun("letter", "letters", "brief", "briefe", "m"),
    Noun("hat", "hats", "hut", "hüte", "m"),
    Noun("shirt", "shirts", "hemd", "hemden", "n"),
    Noun("shoe", "shoes", "schuh", "schuhe", "m"),
    Noun("coat", "coats", "mantel", "mäntel", "m"),
    Noun("flower", "flowers", "blume", "blumen", "f"),
    Noun("tree", "trees", "baum", "bäume", "m"),
    Noun("garden", "gardens", "garten", "gärten", "m"),
    Noun("street", "streets", "straße", "straßen", "f"),
    Noun("city", "cities", "stadt", "städte", "f"),
    Noun("train", "trains", "zug", "züge", "m"),
    Noun("bicycle", "bicycles", "fahrrad", "fahrräder", "n"),
    Noun("boat", "boats", "boot", "boote", "n"),
    Noun("clock", "clocks", "uhr", "uhren", "f"),
    Noun("lamp", "lamps", "lampe", "lampen", "f"),
    Noun("picture", "pictures", "bild", "bilder", "n"),
    Noun("bed", "beds", "bett", "betten", "n"),
    Noun("room", "rooms", "zimmer", "zimmer", "n"),
    Noun("ball", "balls", "ball", "bälle", "m"),
    Noun("song", "songs", "lied", "lieder", "n"),
    Noun("friend", "friends", "freund", "freunde", "m"),
    Noun("star", "stars", "stern", "sterne", "m"),
    Noun("fish", "fish", "fisch", "fische", "m"),
    Noun("cake", "cakes", "kuchen", "kuchen", "m"),
    Noun("child", "children", "kind", "kinder", "n"),
)
COLOURS = (
    ("red", "rot"), ("white", "weiß"), ("black", "schwarz"), ("yellow", "gelb"), ("green", "grün"), ("blue", "blau"),
    ("gray", "grau"), ("brown", "braun"),
)  # fmt: skip
ADJECTIVES = (
    ("big", "groß"), ("small", "klein"), ("new", "neu"), ("old", "alt"), ("beautiful", "schön"), ("ugly", "hässlich"),
    ("cheap", "billig"), ("long", "lang"), ("short", "kurz"), ("heavy", "schwer"), ("good", "gut"), ("bad", "schlecht"),
    ("strong", "stark"), ("strange", "seltsam"), ("important", "wichtig"), ("famous", "berühmt"), ("nice", "nett"),
)  # fmt: skip
PEOPLE = (
    ("my brother", "mein bruder"), ("my sister", "meine schwester"), ("my mother", "meine mutter"),
    ("my father", "mein vater"), ("my son", "mein sohn"), ("my daughter", "meine tochter"),
    ("my grandmother", "meine großmutter"), ("the teacher", "der lehrer"), ("the woman", "die frau"),
    ("the boy", "der junge"), ("the girl", "das mädchen"), ("my uncle", "mein onkel"), ("the man", "der mann"),
    ("maria", "maria"), ("peter", "peter"),
)  # fmt: skip
PLACES = (
    ("in the kitchen", "in der küche"), ("in the garden", "im garten"), ("at home", "zu hause"),
    ("in the street", "auf der straße"), ("on the table", "auf dem tisch"), ("in the city", "in der stadt"),
    ("at school", "in der schule"), ("in the car", "im auto"), ("under the bed", "unter dem bett"),
    ("on the beach", "am strand"), ("in the house", "im haus"), ("behind the door", "hinter der tür"),
    ("near the river", "am fluss"), ("in the mountains", "in den bergen"), ("in my room", "in meinem zimmer"),
    ("here", "hier"), ("there", "dort"),
)  # fmt: skip
TIMES = (
    ("today", "heute"), ("tomorrow", "morgen"), ("now", "jetzt"), ("tonight", "heute abend"),
    ("on monday", "am montag"), ("on friday", "am freitag"), ("on sunday", "am sonntag"),
    ("this afternoon", "heute nachmittag"), ("every day", "jeden tag"),
    ("in the morning", "am morgen"), ("this week", "diese woche"), ("later", "später"),
)  # fmt: skip

PHRASES = Phrases(
    train=(
        "good morning | guten morgen",
        "good afternoon | guten tag",
        "good evening | guten abend",
        "good night | gute nacht",
        "hello | hallo",
        "hello / how are you | hallo / wie geht es dir",
        "i am fine / thank you | mir geht es gut / danke",
        "thank you very much | vielen dank",
        "thank you / my friend | danke / mein freund",
        "you are welcome | gern geschehen",
        "please | bitte",
        "excuse me | entschuldigung",
        "i am sorry | es tut mir leid",
        "yes / of course | ja / natürlich",
        "no / thank you | nein / danke",
        "goodbye | auf wiedersehen",
        "see you tomorrow | bis morgen",
        "see you later | bis später",
        "what is your name | wie heißt du",
        "my name is anna | ich heiße anna",
        "where are you from | woher kommst du",
        "i do not know | ich weiß nicht",
        "i do not understand | ich verstehe nicht",
        "i speak / a little german | ich spreche / ein wenig deutsch",
        "what time is it | wie spät ist es",
        "it is late | es ist spät",
        "it is cold / today | es ist kalt / heute",
        "it is raining | es regnet",
        "i am hungry | ich habe hunger",
        "i am thirsty | ich habe durst",
        "i am tired | ich bin müde",
        "i am happy | ich bin froh",
        "i am at home | ich bin zu hause",
        "come here / please | komm her / bitte",
        "sit down / please | setz dich / bitte",
        "stand up | steh auf",
        "wait a moment | warte einen moment",
        "wait here | warte hier",
        "look at me | sieh mich an",
        "listen to me | hör mir zu",
        "help me / please | hilf mir / bitte",
        "open the door | öffne die tür",
        "close the door / please | schließ die tür / bitte",
        "open the window | öffne das fenster",
        "close the window | schließ das fenster",
        "turn on / the light | mach / das licht an",
        "turn off / the light | mach / das licht aus",
        "let us go | gehen wir",
        "let us go home | gehen wir nach hause",
        "be careful | sei vorsichtig",
        "be quiet / please | sei leise / bitte",
        "speak slowly / please | sprich langsam / bitte",
        "one more time / please | noch einmal / bitte",
        "how much does it cost | wie viel kostet das",
        "a coffee / with milk | einen kaffee / mit milch",
        "a glass of water / please | ein glas wasser / bitte",
        "i want / to eat | ich möchte / essen",
        "i want / to sleep | ich möchte / schlafen",
        "i have to go | ich muss gehen",
        "i have to work / tomorrow | ich muss / morgen arbeiten",
        "i live / in the city | ich wohne / in der stadt",
        "i like / the music | ich mag / die musik",
        "i love you | ich liebe dich",
        "happy birthday | alles gute zum geburtstag",
        "good luck | viel glück",
        "the food / is very good | das essen / ist sehr gut",
        "the water / is cold | das wasser / ist kalt",
        "the soup / is hot | die suppe / ist heiß",
        "the door / is open | die tür / ist offen",
        "the window / is closed | das fenster / ist zu",
        "no problem | kein problem",
        "everything / is fine | alles / ist gut",
        "it is true | es ist wahr",
        "it is not true | es ist nicht wahr",
        "what is this | was ist das",
        "why not | warum nicht",
        "where is / the station | wo ist / der bahnhof",
        "where is / the bathroom | wo ist / das bad",
        "on the left | links",
        "on the right | rechts",
    ),
    heldout=(
        "good morning / my friend | guten morgen / mein freund",
        "yes / please | ja / bitte",
        "goodbye / see you tomorrow | auf wiedersehen / bis morgen",
        "i am sorry / i do not understand | es tut mir leid / ich verstehe nicht",
        "wait a moment / please | warte einen moment / bitte",
        "close the window / please | schließ das fenster / bitte",
        "i am tired / today | ich bin müde / heute",
        "the soup / is very good | die suppe / ist sehr gut",
        "where is / the bathroom / please | wo ist / das bad / bitte",
        "i want / to eat now | ich möchte / jetzt essen",
    ),
)
TEMPLATES = Phrases(
    train=(
        "the {n} / is {a} | {der} {N} / ist {A}",
        "the {n} / is very {a} | {der} {N} / ist sehr {A}",
        "the {n} / is not {a} | {der} {N} / ist nicht {A}",
        "the {c} {n} | {der} {Ce} {N}",
        "the {n} / is {c} | {der} {N} / ist {C}",
        "my {n} / is {c} | {mein} {N} / ist {C}",
        "my {n} / is {a} | {mein} {N} / ist {A}",
        "this {n} / is {a} | {dieser} {N} / ist {A}",
        "the {ns} / are {c} | die {Ns} / sind {C}",
        "the {ns} / are {p} | die {Ns} / sind {P}",
        "i see / {an} | ich sehe / {einen} {N}",
        "i see / {anc} {n} | ich sehe / {einen} {Cen} {N}",
        "i have / {an} | ich habe / {einen} {N}",
        "i have / {anc} {n} | ich habe / {einen} {Cen} {N}",
        "i want / {ana} {n} | ich möchte / {einen} {Aen} {N}",
        "i need / {an} | ich brauche / {einen} {N}",
        "i have / {k} {ns} | ich habe / {K} {Ns}",
        "there are / {k} {ns} | es gibt / {K} {Ns}",
        "there are / {k} {ns} / {p} | es gibt / {K} {Ns} / {P}",
        "the {n} / is {p} | {der} {N} / ist {P}",
        "my {n} / is {p} | {mein} {N} / ist {P}",
        "{w} / is {p} | {W} / ist {P}",
        "{w} / has {an} | {W} / hat {einen} {N}",
        "{w} / has {anc} {n} | {W} / hat {einen} {Cen} {N}",
        "{w} / has {k} {ns} | {W} / hat {K} {Ns}",
        "{w} / works {p} | {W} / arbeitet {P}",
        "{w} / lives {p} | {W} / wohnt {P}",
        "we have / {ana} {n} | wir haben / {einen} {Aen} {N}",
        "we see / the {c} {n} | wir sehen / {den} {Cden} {N}",
        "where is / the {n} | wo ist / {der} {N}",
        "where is / my {n} | wo ist / {mein} {N}",
        "do you have / {an} | hast du / {einen} {N}",
        "give me / the {n} / please | gib mir / {den} {N} / bitte",
        "give me / the {c} {n} | gib mir / {den} {Cden} {N}",
        "bring me / {an} | bring mir / {einen} {N}",
        "i like / the {n} | ich mag / {den} {N}",
        "{t} / i work / {p} | {T} / arbeite ich / {P}",
        "{t} / i buy / {an} | {T} / kaufe ich / {einen} {N}",
        "the {n} / and the {m} | {der} {N} / und {derm} {M}",
        "the {n} / costs / {k} euros | {der} {N} / kostet / {K} euro",
        "{k} plus {j} | {K} plus {J}",
        "number {k} | nummer {K}",
        "{k} / {j} | {K} / {J}",
    ),
    heldout=(
        "i see / the {c} {n} | ich sehe / {den} {Cden} {N}",
        "i see / {k} {ns} | ich sehe / {K} {Ns}",
        "i need / {anc} {n} | ich brauche / {einen} {Cen} {N}",
        "bring me / the {n} / please | bring mir / {den} {N} / bitte",
        "{w} / has {ana} {n} | {W} / hat {einen} {Aen} {N}",
        "we have / {k} {ns} / {p} | wir haben / {K} {Ns} / {P}",
        "the {c} {n} / is {a} | {der} {Ce} {N} / ist {A}",
        "my {n} / is very {a} | {mein} {N} / ist sehr {A}",
        "where is / the {c} {n} | wo ist / {der} {Ce} {N}",
        "i like / the {c} {n} | ich mag / {den} {Cden} {N}",
        "the {n} / and the {m} / are here | {der} {N} / und {derm} {M} / sind hier",
    ),
)
_ENDINGS = {"m": "en", "f": "e", "n": "es"}
"""Of an adjective after ``einen``, ``eine``, ``ein`` in the accusative."""
_DEFINITE = {"m": ("der", "den"), "f": ("die", "die"), "n": ("das", "das")}
_INDEFINITE = {"m": "einen", "f": "eine", "n": "ein"}
_THIS = {"m": "dieser", "f": "diese", "n": "dieses"}


def german_number(number: int) -> str:
    """``42`` as ``zweiundvierzig``; 0 to 100, else ValueError."""
    if not 0 <= number <= GREATEST_NUMBER:
        raise ValueError(f"{number} is outside 0 to {GREATEST_NUMBER}: only these are translated")
    if number < 20:
        return _SMALL[number]
    if number == 100:
        return "hundert"
    tens, ones = divmod(number, 10)
    before = "" if not ones else "einund" if ones == 1 else f"{_SMALL[ones]}und"
    return f"{before}{_TENS[tens - 2]}"


def fill(stage: Stage) -> Slots:
    """Words for every slot of the templates."""
    noun, other = (NOUNS[int(k)] for k in stage.rng.choice(len(NOUNS), 2, replace=False))
    colour, adjective = pick_pair(stage, COLOURS), pick_pair(stage, ADJECTIVES)
    person, place, time = pick_pair(stage, PEOPLE), pick_pair(stage, PLACES), pick_pair(stage, TIMES)
    count, second = stage.whole(2, GREATEST_NUMBER if stage.chance(0.4) else 20), stage.whole(0, GREATEST_NUMBER)
    after_den = "en" if noun.gender == "m" else "e"
    return {
        "n": noun.english, "ns": noun.english_plural, "an": english_article(noun.english),
        "N": noun.target, "Ns": noun.target_plural, "m": other.english, "M": other.target,
        "der": _DEFINITE[noun.gender][0], "den": _DEFINITE[noun.gender][1], "derm": _DEFINITE[other.gender][0],
        "einen": _INDEFINITE[noun.gender], "mein": "meine" if noun.gender == "f" else "mein",
        "dieser": _THIS[noun.gender],
        "a": adjective[0], "ana": english_article(adjective[0]), "A": adjective[1],
        "Aen": adjective[1] + _ENDINGS[noun.gender],
        "c": colour[0], "anc": english_article(colour[0]), "C": colour[1], "Ce": f"{colour[1]}e",
        "Cden": colour[1] + after_den, "Cen": colour[1] + _ENDINGS[noun.gender],
        "k": spoken(count), "K": german_number(count), "j": spoken(second), "J": german_number(second),
        "w": person[0], "W": person[1], "p": place[0], "P": place[1], "t": time[0], "T": time[1],
    }  # fmt: skip


GERMAN = Language(code="de", english_name="german", phrases=PHRASES, templates=TEMPLATES, fill=fill)
