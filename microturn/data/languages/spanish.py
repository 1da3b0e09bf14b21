"""English and Spanish: numbers, colours, things, people, places, short commands, courtesies."""

from microturn.data.languages.aligned import Language, Noun, Slots, english_article, pick_pair
from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases
from microturn.data.stage import Stage

_SMALL = (
    *("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"),
    *("trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno"),
    *("veintidós", "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete", "veintiocho"),
    "veintinueve",
)
_TENS = ("treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")
GREATEST_NUMBER = 100

NOUNS = (
    Noun("house", "houses", "casa", "casas", "f"),
    Noun("car", "cars", "coche", "coches", "m"),
    Noun("book", "books", "libro", "libros", "m"),
    Noun("table", "tables", "mesa", "mesas", "f"),
    Noun("chair", "chairs", "silla", "sillas", "f"),
    Noun("dog", "dogs", "perro", "perros", "m"),
    Noun("cat", "cats", "gato", "gatos", "m"),
    Noun("horse", "horses", "caballo", "caballos", "m"),
    Noun("bird", "birds", "pájaro", "pájaros", "m"),
    Noun("cow", "cows", "vaca", "vacas", "f"),
    Noun("apple", "apples", "manzana", "manzanas", "f"),
    Noun("orange", "oranges", "naranja", "naranjas", "f"),
    Noun("lemon", "lemons", "limón", "limones", "m"),
    Noun("bottle", "bottles", "botella", "botellas", "f"),
    Noun("glass", "glasses", "vaso", "vasos", "m"),
    Noun("cup", "cups", "taza", "tazas", "f"),
    Noun("plate", "plates", "plato", "platos", "m"),
    Noun("door", "doors", "puerta", "puertas", "f"),
    Noun("window", "windows", "ventana", "ventanas", "f"),
    Noun("box", "boxes", "caja", "cajas", "f"),
    Noun("key", "keys", "llave", "llaves", "f"),
    Noun("letter", "letters", "carta", "cartas", "f"),
    Noun("hat", "hats", "sombrero", "sombreros", "m"),
    Noun("shirt", "shirts", "camisa", "camisas", "f"),
    Noun("shoe", "shoes", "zapato", "zapatos", "m"),
    Noun("coat", "coats", "abrigo", "abrigos", "m"),
    Noun("flower", "flowers", "flor", "flores", "f"),
    Noun("tree", "trees", "árbol", "árboles", "m"),
    Noun("garden", "gardens", "jardín", "jardines", "m"),
    Noun("street", "streets", "calle", "calles", "f"),
    Noun("city", "cities", "ciudad", "ciudades", "f"),
    Noun("train", "trains", "tren", "trenes", "m"),
    Noun("plane", "planes", "avión", "aviones", "m"),
    Noun("bicycle", "bicycles", "bicicleta", "bicicletas", "f"),
    Noun("boat", "boats", "barco", "barcos", "m"),
    Noun("clock", "clocks", "reloj", "relojes", "m"),
    Noun("lamp", "lamps", "lámpara", "lámparas", "f"),
    Noun("picture", "pictures", "cuadro", "cuadros", "m"),
    Noun("bed", "beds", "cama", "camas", "f"),
    Noun("room", "rooms", "cuarto", "cuartos", "m"),
    Noun("pencil", "pencils", "lápiz", "lápices", "m"),
    Noun("ball", "balls", "pelota", "pelotas", "f"),
    Noun("guitar", "guitars", "guitarra", "guitarras", "f"),
    Noun("song", "songs", "canción", "canciones", "f"),
    Noun("friend", "friends", "amigo", "amigos", "m"),
    Noun("doctor", "doctors", "médico", "médicos", "m"),
    Noun("star", "stars", "estrella", "estrellas", "f"),
    Noun("fish", "fish", "pez", "peces", "m"),
    Noun("cake", "cakes", "pastel", "pasteles", "m"),
    Noun("ticket", "tickets", "billete", "billetes", "m"),
)
COLOURS = (
    ("red", "rojo"), ("white", "blanco"), ("black", "negro"), ("yellow", "amarillo"), ("green", "verde"),
    ("blue", "azul"), ("gray", "gris"), ("pink", "rosa"), ("brown", "marrón"), ("purple", "morado"),
)  # fmt: skip
ADJECTIVES = (
    ("big", "grande"), ("small", "pequeño"), ("new", "nuevo"), ("old", "viejo"), ("pretty", "bonito"), ("ugly", "feo"),
    ("expensive", "caro"), ("cheap", "barato"), ("long", "largo"), ("short", "corto"), ("heavy", "pesado"),
    ("good", "bueno"), ("bad", "malo"), ("strong", "fuerte"), ("strange", "raro"), ("famous", "famoso"),
    ("important", "importante"), ("different", "diferente"), ("beautiful", "hermoso"), ("perfect", "perfecto"),
)  # fmt: skip
PEOPLE = (
    ("my brother", "mi hermano"), ("my sister", "mi hermana"), ("my mother", "mi madre"), ("my father", "mi padre"),
    ("my son", "mi hijo"), ("my daughter", "mi hija"), ("my grandmother", "mi abuela"), ("the teacher", "la maestra"),
    ("the woman", "la mujer"), ("the boy", "el niño"), ("the girl", "la niña"), ("my uncle", "mi tío"),
    ("my friend", "mi amigo"), ("the man", "el hombre"), ("maria", "maría"), ("peter", "pedro"),
)  # fmt: skip
PLACES = (
    ("in the kitchen", "en la cocina"), ("in the garden", "en el jardín"), ("at home", "en casa"),
    ("in the street", "en la calle"), ("on the table", "en la mesa"), ("in the city", "en la ciudad"),
    ("at school", "en la escuela"), ("in the car", "en el coche"), ("under the bed", "debajo de la cama"),
    ("on the beach", "en la playa"), ("in the house", "en la casa"), ("behind the door", "detrás de la puerta"),
    ("near the river", "cerca del río"), ("in the mountains", "en las montañas"), ("at work", "en el trabajo"),
    ("in my room", "en mi cuarto"), ("here", "aquí"), ("there", "allí"),
)  # fmt: skip
TIMES = (
    ("today", "hoy"), ("tomorrow", "mañana"), ("now", "ahora"), ("tonight", "esta noche"), ("on monday", "el lunes"),
    ("on friday", "el viernes"), ("on sunday", "el domingo"), ("this afternoon", "esta tarde"),
    ("every day", "todos los días"), ("in the morning", "por la mañana"), ("this week", "esta semana"),
    ("at night", "por la noche"), ("later", "más tarde"), ("on tuesday", "el martes"),
)  # fmt: skip

PHRASES = Phrases(
    train=(
        "good morning | buenos días",
        "good afternoon | buenas tardes",
        "good night | buenas noches",
        "hello | hola",
        "hello / how are you | hola / cómo estás",
        "how are you | cómo estás",
        "i am fine / thank you | estoy bien / gracias",
        "very well / thank you | muy bien / gracias",
        "thank you very much | muchas gracias",
        "thank you / my friend | gracias / amigo mío",
        "you are welcome | de nada",
        "please | por favor",
        "excuse me | perdón",
        "i am sorry | lo siento",
        "yes | sí",
        "no | no",
        "yes / of course | sí / claro",
        "goodbye | adiós",
        "see you tomorrow | hasta mañana",
        "see you later | hasta luego",
        "what is your name | cómo te llamas",
        "my name is anna | me llamo ana",
        "where are you from | de dónde eres",
        "i am from spain | soy de españa",
        "i do not know | no sé",
        "i do not understand | no entiendo",
        "i understand | entiendo",
        "do you speak english | hablas inglés",
        "i speak / a little spanish | hablo / un poco de español",
        "what time is it | qué hora es",
        "it is late | es tarde",
        "it is early | es temprano",
        "it is cold / today | hace frío / hoy",
        "it is hot / today | hace calor / hoy",
        "it is raining | está lloviendo",
        "i am hungry | tengo hambre",
        "i am thirsty | tengo sed",
        "i am tired | estoy cansado",
        "i am happy | estoy contento",
        "i am at home | estoy en casa",
        "come here | ven aquí",
        "come here / please | ven aquí / por favor",
        "go there | ve allí",
        "sit down | siéntate",
        "sit down / please | siéntate / por favor",
        "stand up | levántate",
        "wait a moment | espera un momento",
        "wait here | espera aquí",
        "look at me | mírame",
        "listen to me | escúchame",
        "help me | ayúdame",
        "help me / please | ayúdame / por favor",
        "open the door | abre la puerta",
        "close the door | cierra la puerta",
        "open the window / please | abre la ventana / por favor",
        "close the window | cierra la ventana",
        "turn on / the light | enciende / la luz",
        "turn off / the light | apaga / la luz",
        "read the book | lee el libro",
        "write the letter | escribe la carta",
        "let us go | vamos",
        "let us go home | vamos a casa",
        "let us eat / now | vamos a comer / ahora",
        "be careful | ten cuidado",
        "be quiet / please | silencio / por favor",
        "speak slowly / please | habla despacio / por favor",
        "one more time / please | una vez más / por favor",
        "how much does it cost | cuánto cuesta",
        "the bill / please | la cuenta / por favor",
        "a coffee / with milk | un café / con leche",
        "a coffee / please | un café / por favor",
        "a glass of water / please | un vaso de agua / por favor",
        "i want / to eat | quiero / comer",
        "i want / to sleep | quiero / dormir",
        "i want / to drink water | quiero / beber agua",
        "i have to work / tomorrow | tengo que trabajar / mañana",
        "i have to go | tengo que ir",
        "we go / to the beach | vamos / a la playa",
        "i am going / to school | voy / a la escuela",
        "i live / in the city | vivo / en la ciudad",
        "i like / the music | me gusta / la música",
        "i love you | te quiero",
        "happy birthday | feliz cumpleaños",
        "congratulations | felicidades",
        "good luck | buena suerte",
        "have a good trip | buen viaje",
        "the food / is very good | la comida / está muy buena",
        "the water / is cold | el agua / está fría",
        "the soup / is hot | la sopa / está caliente",
        "the door / is open | la puerta / está abierta",
        "the window / is closed | la ventana / está cerrada",
        "there is / a problem | hay / un problema",
        "no problem | no hay problema",
        "everything / is fine | todo / está bien",
        "it is true | es verdad",
        "it is not true | no es verdad",
        "who is it | quién es",
        "what is this | qué es esto",
        "why not | por qué no",
        "when / are you coming | cuándo / vienes",
        "where is / the station | dónde está / la estación",
        "where is / the bathroom | dónde está / el baño",
        "on the left | a la izquierda",
        "on the right | a la derecha",
    ),
    heldout=(
        "good morning / my friend | buenos días / amigo mío",
        "hello / good afternoon | hola / buenas tardes",
        "yes / please | sí / por favor",
        "no / thank you | no / gracias",
        "goodbye / see you tomorrow | adiós / hasta mañana",
        "i am sorry / i do not understand | lo siento / no entiendo",
        "wait a moment / please | espera un momento / por favor",
        "close the window / please | cierra la ventana / por favor",
        "turn off the light / please | apaga la luz / por favor",
        "i am tired / today | estoy cansado / hoy",
        "i want / to go home | quiero / ir a casa",
        "the soup / is very good | la sopa / está muy buena",
        "a glass of water / and a coffee | un vaso de agua / y un café",
        "where is / the bathroom / please | dónde está / el baño / por favor",
        "thank you / i am fine | gracias / estoy bien",
        "i have to work / today | tengo que trabajar / hoy",
    ),
)
TEMPLATES = Phrases(
    train=(
        "the {n} / is {a} | {el} {N} / es {A}",
        "the {n} / is very {a} | {el} {N} / es muy {A}",
        "the {n} / is not {a} | {el} {N} / no es {A}",
        "the {c} {n} | {el} {N} {C}",
        "the {n} / is {c} | {el} {N} / es {C}",
        "my {n} / is {c} | mi {N} / es {C}",
        "my {n} / is {a} | mi {N} / es {A}",
        "this {n} / is {a} | {este} {N} / es {A}",
        "the {ns} / are {c} | {los} {Ns} / son {Cs}",
        "the {ns} / are {a} | {los} {Ns} / son {As}",
        "i see / {an} | veo / {un} {N}",
        "i see / {anc} {n} | veo / {un} {N} {C}",
        "i have / {an} | tengo / {un} {N}",
        "i have / {anc} {n} | tengo / {un} {N} {C}",
        "i want / {ana} {n} | quiero / {un} {N} {A}",
        "i want / {an} | quiero / {un} {N}",
        "i need / {an} | necesito / {un} {N}",
        "i need / {an} / {t} | necesito / {un} {N} / {T}",
        "i have / {k} {ns} | tengo / {K} {Ns}",
        "there are / {k} {ns} | hay / {K} {Ns}",
        "there are / {k} {ns} / {p} | hay / {K} {Ns} / {P}",
        "there is / {an} / {p} | hay / {un} {N} / {P}",
        "the {n} / is {p} | {el} {N} / está {P}",
        "the {ns} / are {p} | {los} {Ns} / están {P}",
        "my {n} / is {p} | mi {N} / está {P}",
        "{w} / is {p} | {W} / está {P}",
        "{w} / has {an} | {W} / tiene {un} {N}",
        "{w} / has {anc} {n} | {W} / tiene {un} {N} {C}",
        "{w} / has {k} {ns} | {W} / tiene {K} {Ns}",
        "{w} / wants {an} | {W} / quiere {un} {N}",
        "{w} / works {p} | {W} / trabaja {P}",
        "{w} / lives {p} | {W} / vive {P}",
        "we have / {ana} {n} | tenemos / {un} {N} {A}",
        "we see / the {c} {n} | vemos / {el} {N} {C}",
        "where is / the {n} | dónde está / {el} {N}",
        "where is / my {n} | dónde está / mi {N}",
        "do you have / {an} | tienes / {un} {N}",
        "give me / the {n} / please | dame / {el} {N} / por favor",
        "give me / the {c} {n} | dame / {el} {N} {C}",
        "bring me / {an} | tráeme / {un} {N}",
        "look at / the {n} | mira / {el} {N}",
        "buy / {k} {ns} / {t} | compra / {K} {Ns} / {T}",
        "put the {n} / {p} | pon {el} {N} / {P}",
        "i like / the {n} | me gusta / {el} {N}",
        "i do not like / the {n} | no me gusta / {el} {N}",
        "{t} / i work / {p} | {T} / trabajo / {P}",
        "{t} / i buy / {an} | {T} / compro / {un} {N}",
        "{t} / {w} / is {p} | {T} / {W} / está {P}",
        "the {n} / and the {m} | {el} {N} / y {elm} {M}",
        "the {n} / costs / {k} euros | {el} {N} / cuesta / {K} euros",
        "{k} plus {j} | {K} más {J}",
        "number {k} | número {K}",
        "count / from {k} / to {j} | cuenta / de {K} / a {J}",
        "{k} / {j} | {K} / {J}",
        "the {n} / of {w} | {el} {N} / de {W}",
    ),
    heldout=(
        "i see / the {c} {n} | veo / {el} {N} {C}",
        "i see / {k} {ns} | veo / {K} {Ns}",
        "i need / {anc} {n} | necesito / {un} {N} {C}",
        "i need / {k} {ns} / {t} | necesito / {K} {Ns} / {T}",
        "bring me / the {n} / please | tráeme / {el} {N} / por favor",
        "{w} / has {ana} {n} | {W} / tiene {un} {N} {A}",
        "{w} / wants {anc} {n} | {W} / quiere {un} {N} {C}",
        "we have / {k} {ns} / {p} | tenemos / {K} {Ns} / {P}",
        "the {c} {n} / is {a} | {el} {N} {C} / es {A}",
        "my {n} / is very {a} | mi {N} / es muy {A}",
        "this {n} / is not {c} | {este} {N} / no es {C}",
        "where is / the {c} {n} | dónde está / {el} {N} {C}",
        "put the {c} {n} / {p} | pon {el} {N} {C} / {P}",
        "{t} / i need / {an} | {T} / necesito / {un} {N}",
        "{t} / there are / {k} {ns} | {T} / hay / {K} {Ns}",
        "the {n} / and the {m} / are here | {el} {N} / y {elm} {M} / están aquí",
        "i like / the {c} {n} | me gusta / {el} {N} {C}",
        "{w} / works / {t} | {W} / trabaja / {T}",
    ),
)


def spanish_number(number: int) -> str:
    """``42`` as ``cuarenta y dos``; 0 to 100, else ValueError."""
    if not 0 <= number <= GREATEST_NUMBER:
        raise ValueError(f"{number} is outside 0 to {GREATEST_NUMBER}: only these are translated")
    if number < 30:
        return _SMALL[number]
    if number == 100:
        return "cien"
    tens, ones = divmod(number, 10)
    return _TENS[tens - 3] + (f" y {_SMALL[ones]}" if ones else "")


def agreed(adjective: str, gender: str, *, is_plural: bool = False) -> str:
    """An adjective, given as masculine singular, in agreement with its noun."""
    form = f"{adjective[:-1]}a" if adjective.endswith("o") and gender == "f" else adjective
    if not is_plural:
        return form
    if form[-1] in "aeiou":
        return f"{form}s"
    return f"{form.replace('ó', 'o')}es"


def fill(stage: Stage) -> Slots:
    """Words for every slot of the templates."""
    noun, other = (NOUNS[int(k)] for k in stage.rng.choice(len(NOUNS), 2, replace=False))
    is_f = noun.gender == "f"
    colour, adjective = pick_pair(stage, COLOURS), pick_pair(stage, ADJECTIVES)
    person, place, time = pick_pair(stage, PEOPLE), pick_pair(stage, PLACES), pick_pair(stage, TIMES)
    count, second = _countable(stage), stage.whole(0, GREATEST_NUMBER)
    return {
        "n": noun.english, "ns": noun.english_plural, "an": english_article(noun.english),
        "N": noun.target, "Ns": noun.target_plural, "m": other.english, "M": other.target,
        "el": "la" if is_f else "el", "los": "las" if is_f else "los", "un": "una" if is_f else "un",
        "este": "esta" if is_f else "este", "elm": "la" if other.gender == "f" else "el",
        "a": adjective[0], "ana": english_article(adjective[0]), "A": agreed(adjective[1], noun.gender),
        "As": agreed(adjective[1], noun.gender, is_plural=True),
        "c": colour[0], "anc": english_article(colour[0]), "C": agreed(colour[1], noun.gender),
        "Cs": agreed(colour[1], noun.gender, is_plural=True),
        "k": spoken(count), "K": spanish_number(count), "j": spoken(second), "J": spanish_number(second),
        "w": person[0], "W": person[1], "p": place[0], "P": place[1], "t": time[0], "T": time[1],
    }  # fmt: skip


def contract(target: str) -> str:
    """``de el`` is ``del``, ``a el`` is ``al``."""
    return f" {target} ".replace(" de el ", " del ").replace(" a el ", " al ").strip()


def _countable(stage: Stage) -> int:
    """A number that does not change before a noun: none that ends in one."""
    while (number := stage.whole(2, GREATEST_NUMBER if stage.chance(0.4) else 20)) % 10 == 1 and number != 11:
        continue
    return number


SPANISH = Language(
    code="es", english_name="spanish", phrases=PHRASES, templates=TEMPLATES, fill=fill, contract=contract
)
