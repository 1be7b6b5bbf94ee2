// Package extract gives the words of documents: the text in contents of the formats that people write. It reads bytes that strangers made, so all of it is
// bounded: how much of a content it reads, how much text it gives, how far compressed parts grow, and for how long it works. It resolves nothing: no entity
// of an XML document that the document itself declares, and nothing outside of it.
package extract
