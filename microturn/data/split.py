"""The split: which voices, noises and human recordings train, and which are only ever evaluated on.

Data and evaluations both read this file and nothing else decides. A voice is its base synthesiser voice: all its warps,
accents and mixes stay on its side. Speakers that two synthesisers share (slt, kal) stay on one side too.
"""

from typing import Literal

Part = Literal["train", "heldout"]
PARTS: tuple[Part, ...] = ("train", "heldout")

HIBARI: dict[Part, tuple[str, ...]] = {"train": ("heart",), "heldout": ()}
FLITE: dict[Part, tuple[str, ...]] = {"train": ("kal16", "awb", "slt"), "heldout": ("rms",)}
FESTIVAL: dict[Part, tuple[str, ...]] = {"train": ("slt", "kal"), "heldout": ("ked",)}

# Kokoro's af_heart is the voice that hibari was distilled from, so that no user ever speaks with it.
KOKORO: dict[Part, tuple[str, ...]] = {
    "train": (
        *("af_alloy", "af_aoede", "af_bella", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river", "af_sky"),
        *("am_adam", "am_echo", "am_eric", "am_liam", "am_michael", "am_onyx", "am_puck", "am_santa"),
        *("bf_alice", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_lewis"),
    ),
    "heldout": ("af_sarah", "am_fenrir", "bf_emma", "bm_george"),
}

# Variants by their file names. Siblings by name (edward, edward2) are never divided; robots, announcers and test voices
# are left out.
ESPEAK: dict[Part, tuple[str, ...]] = {
    "train": (
        *("f1", "f2", "f3", "f5", "m1", "m2", "m3", "m4", "m5", "m7", "m8"),
        *("klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "whisper", "whisperf", "croak", "grandma"),
        *("Alex", "Alicia", "Andy", "Annie", "AnxiousAndy", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Jacky"),
        *("Lee", "Marco", "Mario", "Mike", "Nguyen", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm", "Tweaky"),
        *("anika", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "ed", "edward", "edward2", "gustave"),
        *("iven", "iven2", "iven3", "iven4", "john", "kaukovalta", "marcelo", "max", "michel", "miguel", "norbert"),
        *("pablo", "quincy", "rob", "robert", "sandro", "shelby", "steph", "steph2", "steph3", "travis", "zac"),
    ),
    "heldout": (
        *("f4", "m6", "grandpa", "Andrea", "Hugo", "Michael", "adam", "david", "linda", "paul", "pedro", "victor"),
    ),
}

HUMAN: dict[Part, tuple[str, ...]] = {
    "train": (
        "asterisk_prompts_en",
        "asterisk_prompts_es",
        "fsdd_digits",
        "precise_community_en",
        "rhasspy_kathleen_en",
        "rhasspy_kerstin_de",
        "speech_commands_v1_bed_cat_happy",
        "speechocean762_train",
        "wuw_corpus_ii",
    ),
    "heldout": (
        "fsdd_digits",
        "picovoice_wake_words",
        "precise_community_en",
        "speech_commands_v2_test",
        "speechocean762_test",
        "wuw_corpus_ii",
    ),
}
"""Folders below ``train/`` and ``heldout/``. Sets of the same name hold different speakers."""

RIR: dict[Part, tuple[str, ...]] = {
    "train": (
        *("backslap1", "binaural-s3_r4_bd", "cardiod-35-10-spread", "cardiod-rear-35-10", "cardiod-true-stereo-15-8"),
        *("diffusor3", "omni-35-10", "spatialized1", "spatialized3", "spatialized8", "spatialized9"),
    ),
    "heldout": ("kitchen-true-stereo", "spatialized5", "super-ceiling-35-10"),
}
"""Impulse responses in ``rir/`` that could be rooms; designed effects (warehouse, telephone) are left out."""

NOISE: dict[Part, str] = {"train": "noise/train", "heldout": "noise/heldout"}
"""Folders of noise recordings."""

# --- what is seen ---

Shade = tuple[int, int, int]
SHADES: dict[Part, dict[str, tuple[Shade, ...]]] = {
    "train": {
        "red": ((214, 32, 36), (232, 58, 50), (180, 16, 28), (240, 72, 72)),
        "orange": ((244, 136, 28), (252, 158, 60), (230, 118, 12)),
        "yellow": ((248, 220, 44), (252, 232, 104), (228, 200, 20)),
        "green": ((48, 160, 64), (88, 190, 80), (20, 120, 52), (120, 200, 96)),
        "blue": ((36, 84, 204), (60, 120, 228), (24, 52, 150), (92, 150, 236)),
        "purple": ((128, 52, 172), (150, 84, 196), (98, 30, 140)),
        "pink": ((246, 140, 188), (250, 168, 204), (236, 110, 170)),
        "brown": ((124, 76, 40), (146, 94, 54), (98, 58, 28)),
        "black": ((22, 22, 26), (38, 38, 42)),
        "white": ((246, 246, 246), (232, 232, 236)),
        "gray": ((128, 128, 132), (150, 152, 156)),
    },
    "heldout": {
        "red": ((200, 22, 54), (224, 44, 28)),
        "orange": ((238, 146, 50),),
        "yellow": ((240, 212, 72),),
        "green": ((36, 142, 88), (102, 176, 58)),
        "blue": ((48, 100, 216), (30, 68, 176)),
        "purple": ((140, 66, 160),),
        "pink": ((242, 126, 178),),
        "brown": ((134, 84, 46),),
        "black": ((28, 30, 30),),
        "white": ((240, 240, 234),),
        "gray": ((138, 140, 144),),
    },
}
"""Shades of each colour that has a name."""

LOOKS: dict[Part, dict[str, tuple[str, ...]]] = {
    "train": {
        "ball": (
            *("plain", "beach", "stripe"),
            *("football", "tennis", "rugby", "bowling", "billiard", "hopper", "shaded", "yarn"),
        ),
        "box": ("plain", "parcel", "crate", "open", "cube", "toolbox", "chest", "shoe", "hinged", "cereal", "tissue"),
        "cup": ("mug", "tumbler", "steaming", "teacup", "paper", "goblet", "beer", "sippy", "bubble", "barrel"),
        "star": ("five", "six", "four", "compass", "nautical", "hollow", "chubby", "sheriff", "shooting", "wand"),
        "car": ("saloon", "bus", "hatchback", "pickup", "sports", "truck", "front", "jeep", "convertible", "beetle"),
        "tree": ("round", "fir", "palm", "birch", "cypress", "bare", "willow", "apple", "acacia", "christmas"),
        "fish": ("slim", "round", "angel", "puffer", "sword", "shark", "clown", "goldfish", "tang", "leaping"),
        "house": ("gable", "tower", "cottage", "villa", "dutch", "modern", "steep", "cabin", "garage", "stilts"),
        "book": ("closed", "open", "lying", "stack", "spines", "spiral", "journal", "picture", "standing", "tome"),
        "bottle": ("tall", "flask", "wine", "milk", "sport", "pump", "sauce", "baby", "spray", "soda"),
        "phone": ("upright", "edge", "dial", "flip", "bar", "apps", "landscape", "back", "receiver", "cordless"),
        "flower": (
            *("daisy", "tulip"),
            *("sunflower", "rose", "bluebell", "blossom", "lavender", "lotus", "bunch", "potted"),
        ),
        "hat": ("top", "cap", "cowboy", "beanie", "wizard", "chef", "party", "mortarboard", "hard", "santa"),
        "key": ("round", "square", "trefoil", "house", "car", "pair", "skeleton", "windup", "hexagon", "padlock"),
        "heart": ("plain", "wide", "arrow", "broken", "balloon", "pixel", "winged", "pair", "hollow", "face"),
        "lamp": ("table", "bulb", "desk", "pendant", "lantern", "street", "lava", "dome", "banker", "arc"),
    },
    "heldout": {
        "ball": ("basket",),
        "box": ("gift",),
        "cup": ("handle-left",),
        "star": ("slim",),
        "car": ("van",),
        "tree": ("bushy",),
        "fish": ("finned",),
        "house": ("barn",),
        "book": ("thick",),
        "bottle": ("round",),
        "phone": ("framed",),
        "flower": ("petals",),
        "hat": ("wide",),
        "key": ("ring",),
        "heart": ("slim",),
        "lamp": ("floor",),
    },
}
"""How a thing of each name may be drawn."""

TEXTURES: dict[Part, tuple[str, ...]] = {
    "train": ("plain", "gradient", "clouds", "stripes", "checks", "room", "wood", "speckle"),
    "heldout": ("bricks", "tiles", "office"),
}
"""Backgrounds."""

WAVES: dict[Part, tuple[str, ...]] = {"train": ("sine", "triangle", "hold", "snap"), "heldout": ("late", "arch")}
"""How a repetition goes out and back."""

THING_MOTIONS: dict[Part, tuple[str, ...]] = {
    "train": ("bounce", "slide", "grow", "tilt", "spin", "blink"),
    "heldout": ("circle", "pendulum", "flash"),
}
PERSON_MOTIONS: dict[Part, tuple[str, ...]] = {
    "train": ("squats", "jumping jacks", "waves", "claps", "nods", "arm raises", "kicks", "bows"),
    "heldout": ("arm curls", "punches", "lunges", "side bends"),
}
"""Movements that repeat."""

FILMS: dict[Part, str] = {"train": "video/train", "heldout": "video/heldout"}
"""Folders of real clips: no person is in both."""


def check_part(part: str) -> Part:
    """``part`` as one of ``PARTS``; ``ValueError`` otherwise."""
    for known in PARTS:
        if part == known:
            return known
    raise ValueError(f"no part {part!r}: choose one of {', '.join(PARTS)}")


def voice_bases(part: Part) -> frozenset[str]:
    """Every base voice that may speak as a user in this part."""
    families = {"hibari": HIBARI, "flite": FLITE, "festival": FESTIVAL, "kokoro": KOKORO, "espeak": ESPEAK}
    return frozenset(f"{family}:{name}" for family, split in families.items() for name in split[part])
