"""Figures that were published with the models; never the program's own output."""

# preset: (the vocabulary that it was published with, parameters)
PARAMETERS = {
    "lecture-bigram": (65, 4_225),
    "lecture-tiny": (65, 54_977),
    "lecture-colab": (65, 209_729),
    "lecture-64": (65, 211_777),
    "shakespeare-1x1-short": (65, 1_922_369),
    "shakespeare-1x1": (65, 1_922_369),
    "shakespeare-2x2": (65, 3_695_681),
    "shakespeare-6x6": (65, 10_788_929),
    "shakespeare-12x12": (65, 21_428_801),
    "nanogpt-cpu": (65, 804_096),
    "nanogpt-gpu": (65, 10_745_088),
    "gpt2": (50_257, 124_439_808),
    "gpt2-medium": (50_257, 354_823_168),
    "gpt2-large": (50_257, 774_030_080),
    "gpt2-xl": (50_257, 1_557_611_200),
}
