package registry

import (
	"mime"
	"strings"
	"unicode/utf8"
)

// DefaultMediaType is what a resource has when nobody said and its name tells nothing.
const DefaultMediaType = "application/octet-stream"

// mediaTypes are the media types by name ending, the registry's own and those of the documents it is used for.
var mediaTypes = map[string]string{
	"wsdl": "application/wsdl+xml", "xsd": "application/x-xsd+xml", "wadl": "application/wadl+xml", "rxt": "application/vnd.wso2.registry-ext-type+xml",
	"xml": "application/xml", "json": "application/json", "yaml": "application/yaml", "yml": "application/yaml", "txt": "text/plain",
	"md": "text/markdown", "html": "text/html", "css": "text/css", "js": "text/javascript", "csv": "text/csv", "properties": "text/plain",
	"avsc": "application/vnd.apache.avro+json", "proto": "text/x-protobuf", "graphql": "application/graphql", "gql": "application/graphql",
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "svg": "image/svg+xml", "webp": "image/webp",
	"pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar", "jar": "application/java-archive",
}

// MediaTypeByName guesses a media type from the ending of a name; [DefaultMediaType] when it tells nothing.
func MediaTypeByName(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		if t, ok := mediaTypes[strings.ToLower(name[i+1:])]; ok {
			return t
		}
	}
	return DefaultMediaType
}

// checkMediaType tells why t cannot be a media type (RFC 9110, 8.3.1).
func checkMediaType(t string) error {
	if n := utf8.RuneCountInString(t); n > MaxMediaTypeLength {
		return Errorf(CodeInvalid, "media type has %d characters; the limit is %d", n, MaxMediaTypeLength)
	}
	parsed, _, err := mime.ParseMediaType(t)
	if err != nil || !strings.Contains(parsed, "/") {
		return Errorf(CodeInvalid, "media type %q is not of the form type/subtype", firstRunes(t, 100))
	}
	return nil
}
