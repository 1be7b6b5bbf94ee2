package console

// searchExample is a search that one can click, and what it finds.
type searchExample struct{ Query, Finds string }

// Examples are for the help beside the search box; the tests run every one of them.
func (searchView) Examples() []searchExample {
	return []searchExample{
		{`payments`, mark("the word in names, descriptions, texts, tags, properties and comments")},
		{`"payment service"`, mark("these words, one after the other")},
		{`pay*`, mark("words that begin so")},
		{`payments -legacy`, mark("the first word, and not the second one")},
		{`wsdl OR openapi`, mark("one of the two; parentheses group")},
		{`type:wsdl`, mark("a media type; also type:yaml, type:application/json")},
		{`tag:payments`, mark("a tag")},
		{`name:openapi*`, mark("the name alone; also description:, content: and comment:")},
		{`path:/_system/governance`, mark("what lies below a collection")},
		{`kind:collection`, mark("collections; also kind:resource and kind:link")},
		{`owner:admin`, mark("who made it; author: for who changed it last")},
		{`updated:>2026-01-01`, mark("changed after a day; also created:2026-01..2026-03")},
		{`size:1k..2M`, mark("by size; also rating:>=4")},
		{`prop.stage:gold`, mark("a property and its value; also prop.level:>=3")},
		{`assoc:depends`, mark("what has an association of a type")},
	}
}
