"""Text to ids and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.data.reading import Block
from gpt_tui.core.data.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer, UnknownCharacter
from gpt_tui.core.errors import GptTuiError, Refusal

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(texts)
def test_characters_survive_encoding_and_decoding(text):
    tokenizer = CharTokenizer.of(text)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert ids.dtype == np.int64
    assert len(ids) == len(text)
    assert ids.max() < tokenizer.vocab_size == len(set(text))
    assert [int(tokenizer.encode(character)[0]) for character in text] == ids.tolist()


@given(texts)
def test_bytes_survive_encoding_and_decoding(text):
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode(text).tolist() == list(text.encode())


@given(texts)
def test_a_block_of_a_file_encodes_as_its_text_does(text):
    for tokenizer in (CharTokenizer.of(text), ByteTokenizer()):
        ids = tokenizer.encode_block(Block.of(text))
        assert ids.dtype == tokenizer.dtype
        assert ids.tolist() == tokenizer.encode(text).tolist()


@given(texts)
def test_a_tokenizer_survives_its_json(text):
    for tokenizer in (CharTokenizer.of(text), ByteTokenizer()):
        assert Tokenizer.from_json(json.loads(json.dumps(tokenizer.to_json()))) == tokenizer


def test_a_flipped_bit_anywhere_in_a_kept_vocabulary_is_noticed():
    whole = CharTokenizer("abdfxyé")
    written = json.dumps(whole.to_json()).encode()
    read = set()
    for bit in range(8 * len(written)):
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            read.add(Tokenizer.from_json(json.loads(damaged)))
        except (ValueError, GptTuiError):
            pass
    assert read <= {whole}, "the same, where a letter's number is written in another way"


def test_a_vocabulary_that_was_kept_without_a_checksum_is_read():
    assert Tokenizer.from_json({"kind": "char", "characters": "abc"}) == CharTokenizer("abc")


def test_ids_are_places_in_the_sorted_vocabulary():
    tokenizer = CharTokenizer.of("hello, world\n")
    assert tokenizer.characters == "\n ,dehlorw"
    assert tokenizer.encode("hello").tolist() == [5, 4, 6, 6, 7]
    assert [tokenizer.token_text(i) for i in (0, 1, 2)] == ["\\n", " ", ","]


def test_ids_are_kept_in_the_smallest_integer_that_holds_them():
    assert CharTokenizer("ab").dtype == np.uint8
    assert CharTokenizer("".join(map(chr, range(1, 258)))).dtype == np.dtype("<u2")
    assert CharTokenizer("".join(map(chr, range(0x10000, 0x20001)))).dtype == np.dtype("<u4")


def test_an_unknown_character_is_named_with_its_place_and_the_nearest():
    tokenizer = CharTokenizer.of("the cafe is open.\n")
    with pytest.raises(UnknownCharacter) as caught:
        tokenizer.encode("the café", field="prompt")
    assert (caught.value.character, caught.value.position, caught.value.nearest) == ("é", 7, "e")
    message = str(caught.value)
    assert message.startswith("prompt = the café: the character é (U+00E9, latin small letter e with acute)")
    assert "at position 7" in message
    assert "The nearest is e." in message
    assert "Allowed: \\n space . a c ef hi" in message


def test_every_unknown_character_is_named_once_with_what_to_write_instead():
    with pytest.raises(UnknownCharacter) as caught:
        CharTokenizer.of("the cafe is open.\n").encode('a中é"中é', field="prompt")
    assert (caught.value.character, caught.value.position) == ("中", 1)
    assert ' Nor are é (position 2, nearest e), " (position 3). Allowed: ' in str(caught.value)
    (fault,) = CharTokenizer("ab").faults("a" + "".join(map(chr, range(0x4E00, 0x4E14))))
    assert "and 7 more." in fault.message
    assert CharTokenizer("ab").faults("") == CharTokenizer("ab").faults("abba") == ()


@pytest.mark.parametrize(
    ("character", "vocabulary", "nearest"),
    [("’", "'ab", "'"), ("—", "-ab", "-"), ("A", "abc", "a"), ("É", "efg", "e"), ("中", "abc", None)],
)
def test_the_nearest_character_is_one_a_person_would_type_instead(character, vocabulary, nearest):
    with pytest.raises(UnknownCharacter) as caught:
        CharTokenizer(vocabulary).encode(character)
    assert caught.value.nearest == nearest


def test_undecodable_bytes_of_a_command_line_are_bytes_again_and_unknown_characters_otherwise():
    given_text = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert ByteTokenizer().encode(given_text).tolist() == list(b"caf\xe9")
    with pytest.raises(UnknownCharacter):
        CharTokenizer("acf").encode(given_text)
    with pytest.raises(Refusal, match="position 1"):
        ByteTokenizer().encode("a\ud800")


def test_bytes_that_are_no_character_are_shown_replaced():
    assert ByteTokenizer().decode([0x61, 0xC3]) == "a\ufffd"
    assert ByteTokenizer().token_text(0xC3) == "\\xc3"


@pytest.mark.parametrize("ids", [[-1], [3], [0, 99]])
def test_an_id_outside_the_vocabulary_is_an_error(ids):
    with pytest.raises(ValueError, match="0 to 2"):
        CharTokenizer("abc").decode(ids)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"kind": "char"},
        {"kind": "word"},
        {"kind": ["char"], "characters": "ab"},
        {"kind": "char", "characters": ""},
        {"kind": "char", "characters": "ba"},
        {"kind": "char", "characters": "aab"},
        {"kind": "char", "characters": ["a", "b"]},
        {"kind": "char", "characters": "a\ud800"},
        {"kind": "char", "characters": "ab", "extra": 1},
        {"kind": "byte", "characters": "ab"},
    ],
)
def test_a_strangers_tokenizer_that_is_not_one_is_refused(data):
    with pytest.raises(GptTuiError, match=r"tokenizer|vocabulary"):
        Tokenizer.from_json(data)
