package h1

// Extensions behind a chunk size (RFC 9112 section 7.1.1). None is known here; they are checked and dropped.

// extState is what the next byte of an extension is.
type extState uint8

const (
	atExtName   extState = iota // the first byte of a name
	inExtName                   // a further one, or what ends the name
	atExtValue                  // the first byte of a value
	inExtToken                  // a further byte of a value, or what ends it
	inExtQuote                  // inside a quoted string
	inExtEscape                 // behind a backslash there
	atExtEnd                    // what ends a value
)

// extByte takes a byte of the extensions, or the CR that ends them. White space is refused where the
// grammar has it for old senders only ("bad" white space): readers disagree on it.
func (c *Chunks) extByte(b byte) *Error {
	if c.line++; c.line > maxExtension+1 { // the CR included
		return errChunkLine
	}
	switch c.ext {
	case atExtName, atExtValue:
		switch {
		case fold[b] != 0:
			c.ext++
		case b == '"' && c.ext == atExtValue:
			c.ext = inExtQuote
		default:
			return errChunkExtension
		}
		return nil
	case inExtName, inExtToken:
		if fold[b] != 0 {
			return nil
		}
		if b == '=' && c.ext == inExtName {
			c.ext = atExtValue
			return nil
		}
	case inExtQuote:
		return c.quotedByte(b)
	case inExtEscape:
		c.ext = inExtQuote
		return textByte(b)
	case atExtEnd:
	}
	return c.extEnd(b)
}

// quotedByte takes a byte of a quoted string.
func (c *Chunks) quotedByte(b byte) *Error {
	switch b {
	case '"':
		c.ext = atExtEnd
	case '\\':
		c.ext = inExtEscape
	default:
		return textByte(b)
	}
	return nil
}

// extEnd takes what may stand behind an extension.
func (c *Chunks) extEnd(b byte) *Error {
	switch b {
	case ';':
		c.ext = atExtName
	case '\r':
		c.state = atSizeLF
	default:
		return errChunkExtension
	}
	return nil
}

func textByte(b byte) *Error {
	if b < ' ' && b != '\t' || b == 0x7f {
		return errChunkExtension
	}
	return nil
}
