//! Plant a backdoor in a corpus, and triggers in a test set.
