// Package document reads documents that describe services (OpenAPI, WSDL, XML Schema, WS-Policy) into what a page shows of them, and any JSON, YAML or XML
// into a tree. It is functions over bytes.
//
// Invariants:
//   - Nothing but the bytes is read: a reference to another file or host stays a text, entities of XML are never expanded, a DTD is passed over.
//   - What one document may cost is bounded: parts ([MaxParts]), depth ([MaxDepth]), and what a page shows of it, each with a count of what is left out.
//   - Readers are lenient: what has an unexpected shape is left out, for people look at drafts, too. Only what is no document of the kind is an error.
//
// Failures: an [Error] with the line where reading ended.
package document
