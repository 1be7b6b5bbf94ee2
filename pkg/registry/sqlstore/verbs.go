package sqlstore

import "slices"

// verb is what an item of the change log is called outside.
type verb struct {
	word string
	act  act
	// by says what else of an item tells verbs of one act apart, and n or name which it is.
	by   detail
	n    int64
	name string
}

type detail int

const (
	byAct    detail = iota // nothing
	byN                    // item.n
	byOtherN               // item.n is another one
	byName                 // item.name
)

// verbs is the table of all words, in the order of the acts.
var verbs = []verb{
	{word: "create", act: actCreate},
	{word: "update", act: actRevise},
	{word: "delete", act: actTrash},
	{word: "user", act: actUser},
	{word: "session", act: actSession},
	{word: "leave", act: actLeave},
	{word: "move", act: actMove},
	{word: "undelete", act: actUndelete},
	{word: "copy", act: actCopy},
	{word: "purge", act: actPurge},
	{word: "unlabel", act: actLabel, by: byN, n: 0},
	{word: "label", act: actLabel, by: byOtherN, n: 0},
	{word: "prune", act: actPrune},
	{word: "retain", act: actRetain},
	{word: "checkpoint", act: actCheck, by: byN, n: 1},
	{word: "delete_checkpoint", act: actCheck, by: byN, n: 0},
	{word: "tag", act: actTag, by: byN, n: 1},
	{word: "untag", act: actTag, by: byN, n: 0},
	{word: "comment", act: actComment, by: byName, name: "add"},
	{word: "edit_comment", act: actComment, by: byName, name: "edit"},
	{word: "delete_comment", act: actComment, by: byName, name: "remove"},
	{word: "rate", act: actRating},
	{word: "associate", act: actAssociation, by: byN, n: 1},
	{word: "dissociate", act: actAssociation, by: byN, n: 0},
	{word: "permissions", act: actAccess},
	{word: "role", act: actRole},
	{word: "token", act: actToken},
	{word: "webhook", act: actWebhook},
	{word: "order", act: actOrder},
}

// told tells whether items of the act are events. The others are the store's own work: what they do was told before, or nobody asked for it.
func (a act) told() bool {
	switch a {
	case actStage, actOnce, actCollect, actRemove, actSweep, actSeal, actArrive, actSaved, actStar:
		return false
	case actCreate, actRevise, actTrash, actUser, actSession, actLeave, actMove, actUndelete, actCopy, actPurge,
		actLabel, actPrune, actRetain, actCheck, actTag, actComment, actRating, actAssociation, actAccess, actRole, actToken, actWebhook, actOrder:
	}
	return true // also what a newer program wrote
}

// untold lists the acts that are not told, for statements.
func untold() []any {
	return []any{int64(actStage), int64(actOnce), int64(actCollect), int64(actRemove), int64(actSweep), int64(actSeal), int64(actArrive), int64(actSaved), int64(actStar)}
}

// word is what an item is called; "" for one that this program does not know.
func (a act) word(n int64, name string) string {
	for _, v := range verbs {
		if v.act == a && v.fits(n, name) {
			return v.word
		}
	}
	return ""
}

func (v verb) fits(n int64, name string) bool {
	switch v.by {
	case byN:
		return n == v.n
	case byOtherN:
		return n != v.n
	case byName:
		return name == v.name
	case byAct:
	}
	return true
}

// where chooses the items of the verb, in a statement that calls them i.
func (v verb) where() (string, []any) {
	switch v.by {
	case byN:
		return " AND i.act = ? AND i.n = ?", []any{int64(v.act), v.n}
	case byOtherN:
		return " AND i.act = ? AND i.n <> ?", []any{int64(v.act), v.n}
	case byName:
		return " AND i.act = ? AND i.name = ?", []any{int64(v.act), []byte(v.name)}
	case byAct:
	}
	return " AND i.act = ?", []any{int64(v.act)}
}

// verbOf finds the verb of a word.
func verbOf(word string) (verb, bool) {
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.word == word })
	if i < 0 {
		return verb{}, false
	}
	return verbs[i], true
}

// Actions implements [registry.Log].
func (s *Store) Actions() []string {
	list := make([]string, len(verbs))
	for i, v := range verbs {
		list[i] = v.word
	}
	slices.Sort(list)
	return list
}
