"""Second factors in PostgreSQL: the secret of a device sealed with the vault's master key, recovery codes as digests.

All checks of one account wait for one another at its row: so no code is good twice, and wrong ones are counted exactly.
"""

import base64
import hmac
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pyotp
from psycopg import AsyncCursor
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool
from pyotp.utils import strings_equal

from adapters.vault import Seal
from application.second_factor import CODE_TRIES_MAX, CODE_TRIES_WITHIN, RECOVERY_CODES, Checked

STEP_S = 30
STEPS_OFF_MAX = 1
"""A device's clock, or its owner, may be half a minute late or early."""
RECOVERY_BYTES = 10
CODE_CHARS_MAX = 64

# A confirmed secret stays. One that is not may be begun again, but a repeated command finds its own.
_BEGIN = """
INSERT INTO second_factor AS known (account_id, begun_by, sealed) VALUES (%s, %s, %s)
ON CONFLICT (account_id) DO UPDATE SET begun_by = EXCLUDED.begun_by, sealed = EXCLUDED.sealed, last_step = 0
WHERE known.confirmed_at IS NULL AND known.begun_by <> EXCLUDED.begun_by
"""
_BEGUN = "SELECT sealed FROM second_factor WHERE account_id = %s AND begun_by = %s AND confirmed_at IS NULL"
_LOCK = """
SELECT sealed, last_step, confirmed_at IS NOT NULL,
       CASE WHEN tries_since > clock_timestamp() - %s THEN tries ELSE 0 END,
       extract(epoch FROM clock_timestamp())::float8
FROM second_factor WHERE account_id = %s FOR UPDATE
"""
_RIGHT = """
UPDATE second_factor SET last_step = greatest(last_step, %s), tries = 0, tries_since = NULL,
    confirmed_at = coalesce(confirmed_at, clock_timestamp())
WHERE account_id = %s
"""
_WRONG = """
UPDATE second_factor SET tries = %s + 1, tries_since = CASE WHEN %s = 0 THEN clock_timestamp() ELSE tries_since END
WHERE account_id = %s
"""
_USE_RECOVERY = """
UPDATE recovery_code SET used_at = clock_timestamp() WHERE account_id = %s AND digest = %s AND used_at IS NULL
"""
_LEFT = "SELECT count(*) FROM recovery_code WHERE account_id = %s AND used_at IS NULL"


class PostgresSecondFactors:
    """The port ``application.second_factor.SecondFactors``. ``secret`` keys digests, and makes recovery codes."""

    def __init__(self, pool: AsyncConnectionPool[Any], seal: Seal, *, secret: bytes) -> None:
        self._pool = pool
        self._seal = seal
        self._secret = secret

    async def begin(self, account_id: UUID, *, command_id: UUID) -> str | None:
        sealed = self._seal.seal_alone(pyotp.random_base32().encode(), _about(account_id))
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_BEGIN, (account_id, command_id, sealed))
            await cursor.execute(_BEGUN, (account_id, command_id))
            row = await cursor.fetchone()
        return self._seal.open_alone(row[0], _about(account_id)).decode() if row else None

    async def confirm(self, account_id: UUID, code: str) -> Checked:
        return await self._check(account_id, code, confirming=True)

    async def check(self, account_id: UUID, code: str) -> Checked:
        return await self._check(account_id, code, confirming=False)

    async def is_enrolled(self, account_id: UUID) -> bool:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(
                "SELECT 1 FROM second_factor WHERE account_id = %s AND confirmed_at IS NOT NULL", (account_id,)
            )
            return await cursor.fetchone() is not None

    async def recovery_codes_left(self, account_id: UUID) -> int:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_LEFT, (account_id,))
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def renew_recovery_codes(self, account_id: UUID, *, command_id: UUID) -> Sequence[str]:
        codes = [self._recovery_code(command_id, number) for number in range(RECOVERY_CODES)]
        digests = [self._digest(account_id, code) for code in codes]
        async with self._pool.connection() as connection, connection.cursor() as cursor:
            # Those of a repeated command stay as they are: some may have been used since.
            await cursor.execute(
                "DELETE FROM recovery_code WHERE account_id = %s AND digest <> ALL(%s)", (account_id, digests)
            )
            await cursor.executemany(
                "INSERT INTO recovery_code (account_id, digest) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [(account_id, digest) for digest in digests],
            )
        return codes

    async def remove(self, account_id: UUID) -> None:
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM recovery_code WHERE account_id = %s", (account_id,))
            await connection.execute("DELETE FROM second_factor WHERE account_id = %s", (account_id,))

    def otpauth_uri(self, secret: str, *, issuer: str, name: str) -> str:
        return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=name, issuer_name=issuer)

    async def _check(self, account_id: UUID, code: str, *, confirming: bool) -> Checked:
        typed = "".join(code.split()).replace("-", "")
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_LOCK, (CODE_TRIES_WITHIN, account_id))
            row = await cursor.fetchone()
            if row is None:
                return Checked.WRONG
            sealed, last_step, confirmed, tries, now_s = row
            if tries >= CODE_TRIES_MAX:
                return Checked.TOO_MANY
            if confirmed or confirming:
                secret = self._seal.open_alone(sealed, _about(account_id)).decode()
                step = _step(secret, typed, now_s, after=last_step)
                if step is not None:
                    await cursor.execute(_RIGHT, (step, account_id))
                    return Checked.BY_DEVICE
            if confirmed and await self._recovers(cursor, account_id, typed):
                await cursor.execute(_RIGHT, (0, account_id))
                return Checked.BY_RECOVERY_CODE
            await cursor.execute(_WRONG, (tries, tries, account_id))
            return Checked.WRONG

    async def _recovers(self, cursor: AsyncCursor[Any], account_id: UUID, typed: str) -> bool:
        if len(typed) > CODE_CHARS_MAX:
            return False
        await cursor.execute(_USE_RECOVERY, (account_id, self._digest(account_id, typed)))
        return bool(cursor.rowcount)

    def _recovery_code(self, command_id: UUID, number: int) -> str:
        """Made of the command, so that a lost answer can be given again although no code is kept."""
        said = b"recovery code/" + command_id.bytes + number.to_bytes(1, "big")
        text = base64.b32encode(hmac.digest(self._secret, said, "sha256")[:RECOVERY_BYTES]).decode().lower()
        return "-".join(text[start : start + 4] for start in range(0, len(text), 4))

    def _digest(self, account_id: UUID, code: str) -> bytes:
        plain = code.replace("-", "").lower()
        said = b"recovery digest/" + account_id.bytes + plain.encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, said, "sha256")


def _step(secret: str, typed: str, now_s: float, *, after: int) -> int | None:
    """The time step whose code it is, if it is one of now and later than the last that was used."""
    if not (typed.isascii() and typed.isdecimal()):
        return None
    totp, now = pyotp.TOTP(secret, interval=STEP_S), int(now_s) // STEP_S
    steps = range(now - STEPS_OFF_MAX, now + STEPS_OFF_MAX + 1)
    found = [step for step in steps if strings_equal(totp.generate_otp(step), typed) and step > after]
    return found[-1] if found else None


def _about(account_id: UUID) -> str:
    return f"second factor/{account_id}"
