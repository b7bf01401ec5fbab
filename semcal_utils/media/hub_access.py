"""Ask once, briefly, whether the hub can be reached, instead of waiting through its retries."""

from __future__ import annotations

import threading

PATIENCE = 1.5
"""Seconds."""


class HubUnreachable(ConnectionError):
    """The hub does not answer; the message says what to do instead."""


def require_hub(wanted: str) -> None:
    """Return if the hub answers, raise at once if it does not.

    Args:
        wanted: What is to be downloaded, for the message: ``"the model org/name"``.

    Raises:
        HubUnreachable: The environment asks to stay offline, or the hub did not answer within
            ``PATIENCE`` seconds.
    """
    from huggingface_hub import constants

    advice = "go online, or give the path of a local folder"
    if constants.HF_HUB_OFFLINE:
        raise HubUnreachable(
            f"Cannot load {wanted}: it is not on this machine and HF_HUB_OFFLINE is set; {advice}."
        )
    if not _answers(constants.ENDPOINT):
        raise HubUnreachable(
            f"Cannot load {wanted}: it is not on this machine and {constants.ENDPOINT} does not "
            f"answer; {advice}."
        )


def _answers(address: str) -> bool:
    from huggingface_hub import get_session

    answered = threading.Event()

    def ask() -> None:
        try:
            get_session().head(address, timeout=PATIENCE)
        except Exception:
            # Whatever went wrong (names, proxies, certificates, time), there was no answer.
            return
        answered.set()

    # Looking up a name may take far longer than any timeout a request accepts.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answered.is_set()
