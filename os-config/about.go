package osconfig

// About is what the schema and the reference page say about a key beside the
// comment of its field.
type About struct {
	// Legacy says what becomes of a key that Config does not have but others
	// know, and what to use instead; empty for all others.
	Legacy string
	// Missing says what is missing of a key that is checked but not carried
	// out yet, as the end of a sentence; empty for all that work.
	Missing string
	// Secret is left out of an export that others may see.
	Secret bool
}

// AboutKey looks a key up by its pattern path: "*" stands for the keys of
// free mappings, "[]" for list items.
func AboutKey(pattern string) About {
	return About{Legacy: legacyNote(pattern), Missing: notCarriedOut(pattern), Secret: isSecret(pattern)}
}
