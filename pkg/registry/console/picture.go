package console

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"mime"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console/document"
	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// Limits of a picture that a page shows: a browser unpacks it, and a small file can be of any number of pixels.
const (
	maxPictureBytes  = 32 << 20
	maxPicturePixels = 50_000_000
	pictureHead      = 256 << 10 // bytes in which a picture says how large it is
)

// picture is what is known of a content that a browser shows as a picture.
type picture struct {
	Width, Height int    // pixels; 0 when nobody can tell
	TooLarge      string // why it is not shown; "" when it is
}

// lookAtPicture reads the beginning of a picture, and gives the content from its beginning.
func (c *console) lookAtPicture(content io.Reader, at registry.Version) (picture, io.Reader, error) {
	head, err := io.ReadAll(io.LimitReader(content, pictureHead))
	if err != nil {
		return picture{}, nil, fmt.Errorf("console: content: %w", err)
	}
	var p picture
	p.Width, p.Height = pictureSize(at.Meta.MediaType, head)
	switch {
	case at.Size > maxPictureBytes:
		p.TooLarge = c.say("it is larger than %s", formatSize(maxPictureBytes))
	case int64(p.Width)*int64(p.Height) > maxPicturePixels:
		p.TooLarge = c.say("it has more than %s pixels", texts.Number(maxPicturePixels))
	}
	return p, io.MultiReader(bytes.NewReader(head), content), nil
}

// pictureSize reads the size in pixels from the beginning of a picture; 0, 0 when it does not tell.
func pictureSize(mediaType string, head []byte) (width, height int) {
	base, _, _ := mime.ParseMediaType(mediaType)
	decode := map[string]func(io.Reader) (image.Config, error){
		"image/png": png.DecodeConfig, "image/jpeg": jpeg.DecodeConfig, "image/gif": gif.DecodeConfig, "image/webp": webpConfig, "image/svg+xml": svgConfig,
	}[base]
	if decode == nil {
		return 0, 0
	}
	c, err := decode(bytes.NewReader(head))
	if err != nil || c.Width <= 0 || c.Height <= 0 {
		return 0, 0
	}
	return c.Width, c.Height
}

var errNoPicture = errors.New("it does not tell its size")

// webpConfig reads the size of a WebP picture (RFC 9649): of its canvas, or of its only frame, lossy or lossless.
func webpConfig(r io.Reader) (image.Config, error) {
	var b [30]byte
	if _, err := io.ReadFull(r, b[:]); err != nil || string(b[:4]) != "RIFF" || string(b[8:12]) != "WEBP" {
		return image.Config{}, errNoPicture
	}
	switch string(b[12:16]) {
	case "VP8X":
		return image.Config{Width: 1 + int(b[24]) + int(b[25])<<8 + int(b[26])<<16, Height: 1 + int(b[27]) + int(b[28])<<8 + int(b[29])<<16}, nil
	case "VP8 ":
		return image.Config{Width: int(binary.LittleEndian.Uint16(b[26:])) & 0x3fff, Height: int(binary.LittleEndian.Uint16(b[28:])) & 0x3fff}, nil
	case "VP8L":
		bits := binary.LittleEndian.Uint32(b[21:])
		return image.Config{Width: 1 + int(bits&0x3fff), Height: 1 + int(bits>>14&0x3fff)}, nil
	}
	return image.Config{}, errNoPicture
}

// svgConfig reads the size of an SVG from its first element: in pixels, or that of its own coordinates.
func svgConfig(r io.Reader) (image.Config, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return image.Config{}, err
	}
	top, err := document.FirstElement(text)
	if err != nil || top.Name != "svg" {
		return image.Config{}, errNoPicture
	}
	width, height := pixels(top.Attr("width")), pixels(top.Attr("height"))
	if box := strings.FieldsFunc(top.Attr("viewBox"), func(r rune) bool { return r == ' ' || r == ',' }); (width == 0 || height == 0) && len(box) == 4 {
		width, height = pixels(box[2]), pixels(box[3])
	}
	return image.Config{Width: width, Height: height}, nil
}

// pixels reads a length of SVG that is in pixels; 0 for others.
func pixels(length string) int {
	const most = 1 << 20
	f, err := strconv.ParseFloat(strings.TrimSuffix(length, "px"), 64)
	if err != nil || !(f >= 1 && f <= most) {
		return 0
	}
	return int(f)
}
