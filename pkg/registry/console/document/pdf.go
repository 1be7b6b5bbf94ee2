package document

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
)

// MaxPDF is the size of the largest PDF that [IsQuietPDF] looks into.
const MaxPDF = 16 << 20

// maxUnpacked is how much is unpacked of one PDF.
const maxUnpacked = 64 << 20

// loud are the names that a PDF has where it may act by itself: run scripts, send forms, start programs, play media, or hide what it does.
var loud = map[string]bool{
	"JavaScript": true, "JS": true, "Launch": true, "SubmitForm": true, "ImportData": true, "GoToR": true, "GoToE": true, "XFA": true, "RichMedia": true,
	"Rendition": true, "Movie": true, "Sound": true, "Encrypt": true, "Crypt": true,
	"ASCIIHexDecode": true, "AHx": true, "LZWDecode": true, "LZW": true, "RunLengthDecode": true, "RL": true, "ASCII85Decode": true, "A85": true,
}

// IsQuietPDF tells whether a PDF seems to act in no way by itself when it is shown. It looks for the names of actions in the file and in what is packed in
// it; what it cannot look into counts as not quiet. It is a second lock: the first one is that browsers run what a PDF has apart from the page.
func IsQuietPDF(text []byte) bool {
	if len(text) > MaxPDF || !bytes.Contains(text[:min(len(text), 1024)], []byte("%PDF-")) || hasLoudName(text) {
		return false
	}
	left := int64(maxUnpacked)
	for rest := text; ; {
		_, after, found := bytes.Cut(rest, []byte("stream"))
		if !found {
			return true
		}
		rest = after
		data := bytes.TrimPrefix(bytes.TrimPrefix(after, []byte("\r")), []byte("\n"))
		unpacked, ok := unpack(data, left)
		if !ok || hasLoudName(unpacked) {
			return false
		}
		left -= int64(len(unpacked))
	}
}

// unpack reads what a stream has that is packed by zlib, as far as it can be read; false when that is too much. What is no such stream unpacks to nothing.
func unpack(data []byte, most int64) ([]byte, bool) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, true
	}
	unpacked, err := io.ReadAll(io.LimitReader(z, most+1))
	if int64(len(unpacked)) > most {
		return nil, false
	}
	return unpacked, err == nil || errors.Is(err, zlib.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || len(unpacked) == 0
}

// hasLoudName looks for names (ISO 32000, 7.3.5), whose characters may be written as # and two hexadecimal digits.
func hasLoudName(text []byte) bool {
	const longest = 16
	for {
		i := bytes.IndexByte(text, '/')
		if i < 0 {
			return false
		}
		text = text[i+1:]
		var name [longest]byte
		n := 0
		for at := 0; at < len(text) && n < longest && !endsName[text[at]]; at++ {
			c := text[at]
			if c == '#' && at+2 < len(text) && isHexDigit(text[at+1]) && isHexDigit(text[at+2]) {
				c = hexValue(text[at+1])<<4 | hexValue(text[at+2])
				at += 2
			}
			name[n] = c
			n++
		}
		if loud[string(name[:n])] {
			return true
		}
	}
}

// endsName are the characters that no name has: white space and delimiters.
var endsName = func() (ends [256]bool) {
	for _, c := range "\x00\t\n\f\r ()<>[]{}/%" {
		ends[c] = true
	}
	return ends
}()

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xf + 9
}
