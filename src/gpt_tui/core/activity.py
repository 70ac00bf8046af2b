"""What a session is doing, in the words that its snapshot says it in. Nothing is imported for them."""

EVALUATING, SAMPLING = "evaluating", "sampling"
COMPILING = "compiling"
LAST_EVALUATION = "evaluating on the whole validation split"
SAVING = "saving"
UNSAVED = "waiting to be saved"
WAITING_FOR_DISK = "waiting for room on the disk"
SKIPPABLE = (EVALUATING, SAMPLING, LAST_EVALUATION)  # those that SkipLook leaves out
