package sqlstore

import "github.com/regent-registry/regent/pkg/registry"

var (
	commentTable     = table{"comment", []string{"node", "thread", "n", "reply_to", "rev", "deleted", "author", "created_us", "edited_by", "edited_us", "body"}}
	associationTable = table{"association", []string{"src", "out_key", "dst", "in_key", "type", "uri", "created_us", "created_by"}}
)

// addCommunity writes what users attached.
func (t *treeImport) addCommunity(b registry.TreeBatch) error {
	if err := t.addTags(b.Tags); err != nil {
		return err
	}
	if err := t.addRatings(b.Ratings); err != nil {
		return err
	}
	var stars, comments, associations [][]any
	for _, star := range b.Stars {
		id := t.ids[star.Resource]
		stars = append(stars, []any{id[:], []byte(star.By), toMicros(star.At)})
	}
	if err := t.sendRows(starTable, stars, ""); err != nil {
		return err
	}
	for _, c := range b.Comments {
		id := t.ids[c.Resource]
		editedUS := int64(0)
		if !c.EditedAt.IsZero() {
			editedUS = toMicros(c.EditedAt)
		}
		comments = append(comments, []any{
			id[:], c.Thread, c.Number, c.ReplyTo, c.Rev, flag(c.Deleted), []byte(c.Author), toMicros(c.CreatedAt), []byte(c.EditedBy), editedUS, []byte(c.Text),
		})
	}
	for _, l := range b.Associations {
		src := t.ids[l.Source.ID]
		var dst, uri any
		to := registry.End{URI: l.Target.URI}
		if to.URI == "" {
			to.ID = t.ids[l.Target.ID]
			dst = to.ID[:]
		} else {
			uri = []byte(to.URI)
		}
		associations = append(associations, []any{
			src[:], outKey(l.Type, to), dst, inKey(l.Type, src), []byte(l.Type), uri, toMicros(l.CreatedAt), []byte(l.CreatedBy),
		})
	}
	if err := t.sendRows(commentTable, comments, ""); err != nil {
		return err
	}
	return t.sendRows(associationTable, associations, "")
}

// addTags writes tags and counts those of their nodes again: the ones of a node may come in several batches.
func (t *treeImport) addTags(list []registry.Tagging) error {
	if len(list) == 0 {
		return nil
	}
	var rows [][]any
	nodes := map[registry.ID]bool{}
	for _, g := range list {
		id := t.ids[g.Resource]
		nodes[id] = true
		rows = append(rows, []any{id[:], []byte(g.Name), []byte(g.By), toMicros(g.At)})
	}
	if err := t.sendRows(taggingTable, rows, ""); err != nil {
		return err
	}
	in, ids := inNodes(nodes)
	if err := t.store.purgeTagUses(t.ctx, t.tx, in, ids); err != nil {
		return t.broken(err)
	}
	if err := t.send("write_tag", "DELETE FROM tag WHERE node"+in, ids...); err != nil {
		return err
	}
	if err := t.send("write_tag", "INSERT INTO tag (node, tag, uses) SELECT node, tag, COUNT(*) FROM tagging WHERE node"+in+" GROUP BY node, tag", ids...); err != nil {
		return err
	}
	if err := t.store.addTagUses(t.ctx, t.tx, in, ids, 1); err != nil {
		return t.broken(err)
	}
	return nil
}

// addRatings writes ratings and adds up those of their nodes again.
func (t *treeImport) addRatings(list []registry.RatingBy) error {
	if len(list) == 0 {
		return nil
	}
	var rows [][]any
	nodes := map[registry.ID]bool{}
	for _, r := range list {
		id := t.ids[r.Resource]
		nodes[id] = true
		rows = append(rows, []any{id[:], []byte(r.By), int64(r.Score), toMicros(r.At)})
	}
	if err := t.sendRows(ratingTable, rows, ""); err != nil {
		return err
	}
	in, ids := inNodes(nodes)
	if err := t.send("write_rating", "DELETE FROM rating_sum WHERE node"+in, ids...); err != nil {
		return err
	}
	return t.send("write_rating",
		"INSERT INTO rating_sum (node, votes, total) SELECT node, COUNT(*), SUM(score) FROM rating WHERE node"+in+" GROUP BY node", ids...)
}

// inNodes is a condition that takes nodes, with its arguments.
func inNodes(nodes map[registry.ID]bool) (string, []any) {
	list := make([]registry.ID, 0, len(nodes))
	for id := range nodes {
		list = append(list, id)
	}
	return " IN (" + placeholders(len(list)) + ")", idArgs(list)
}
