"""Which passwords are accepted: long enough, and none of those that have leaked often enough to be tried first.

There are no rules on what a password is made of; it is taken as it is, in any script.
"""

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from api.values import PASSWORD_CHARS_MIN, Password

_OURS = """
password password1 password12 password123 password1234 passw0rd p@ssw0rd p@ssword pass1234 passpass
12345678 123456789 1234567890 12345678910 0123456789 123123123 1234512345 11111111 111111111 00000000 000000000
22222222 33333333 44444444 55555555 66666666 77777777 88888888 99999999 87654321 987654321 9876543210 12344321
123454321 112233445566 11223344 12121212 13131313 14141414 69696969 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y q1w2e3r4
q1w2e3r4t5 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwerty12345 qwertyqwerty qwer1234 asdfghjk asdfghjkl
asdfasdf asdf1234 zxcvbnm123 zxcvbnm, 1qaz2wsx 1qaz2wsx3edc qazwsxedc zaq12wsx zaq1zaq1 !qaz2wsx abcd1234
abc12345 abcdefgh abcdefghi a1b2c3d4 aa123456 aaaaaaaa a1234567 a12345678 aa12345678 iloveyou iloveyou1
iloveyou2 ilovegod sunshine sunshine1 princess princess1 football football1 baseball baseball1 basketball
superman superman1 batman123 starwars starwars1 trustno1 letmein1 letmein123 welcome1 welcome12 welcome123
welcome1234 changeme changeme1 changeme123 admin123 admin1234 administrator administrador root1234 toor1234
master12 master123 michelle jennifer jessica1 elizabeth computer computer1 internet internet1 samsung1 samsung123
google123 facebook facebook1 linkedin whatever whatever1 freedom1 michael1 charlie1 jordan23 liverpool liverpool1
chelsea1 arsenal1 barcelona realmadrid pokemon1 dragon123 monkey123 shadow123 killer123 hello123 hello1234
hellohello secret123 secret12 test1234 testtest testing1 testing123 test12345 demo1234 guest123 user1234 login123
access14 cheese123 chocolate chocolate1 butterfly butterfly1 flower123 lovelove mynameis nothing1 naruto123
senha123 senha1234 senha12345 mudar123 brasil123 flamengo corinthians palmeiras contraseña contrasena
passwort passwort1 hallo123 schalke04 motdepasse azertyui azertyuiop azerty123 bonjour1 doudou123 soleil123
daybook1 daybook123 password! password1! passw0rd! qwerty123! welcome1! 1234qwer 12qwaszx 147258369 159753159
159357456 741852963 789456123 789456123a 456123789 963852741 102030405060 10203040 24681012 19841984
"""
"""The top of the public lists, with what they lack: sequences, and words of our messages' languages."""
DISTINCT_MIN = 3


@cache
def leaked() -> frozenset[str]:
    """The most common leaked passwords, names and words, of those that are long enough, in small letters.

    Read at the first new password: most processes never see one.
    """
    package = find_spec("zxcvbn")
    assert package
    assert package.submodule_search_locations
    # The lists alone: importing the package would also make tables of them for another purpose, and keep those.
    path = Path(package.submodule_search_locations[0]) / "frequency_lists.py"
    found = spec_from_file_location("frequency_lists", path)
    assert found
    assert found.loader
    lists = module_from_spec(found)
    found.loader.exec_module(lists)
    told = {word.casefold() for words in lists.FREQUENCY_LISTS.values() for word in words}
    return frozenset(word for word in told.union(_OURS.split()) if len(word) >= PASSWORD_CHARS_MIN)


def _uncommon(password: str) -> str:
    if password.casefold() in leaked() or len(set(password)) < DISTINCT_MIN:
        raise ValueError("a password that is not among the most common ones")
    return password


NewPassword = Annotated[Password, AfterValidator(_uncommon)]
