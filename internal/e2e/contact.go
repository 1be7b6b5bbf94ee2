package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
)

// Album keeps pictures of pages, one by one and several on a sheet, so that all can be looked at. index.txt says which page is where.
type Album struct {
	t             testing.TB
	name          string // begins the names of all files
	width, height int    // of a picture on a sheet, before it is halved
	columns, rows int
	halve         bool
	dir           string
	count         int
	sheet         *image.RGBA
}

// NewAlbum makes an album of pages in a window of that size. Wide pictures are halved on the sheets.
func NewAlbum(t testing.TB, name string, width, height int64) *Album {
	t.Helper()
	a := &Album{t: t, name: name, width: int(width), height: int(height), columns: 3, rows: 3, dir: artifactDir(t), halve: width > 800}
	if !a.halve {
		a.columns, a.rows = 5, 2
	}
	return a
}

// Add takes a picture of the whole page in the browser.
func (a *Album) Add(b *Browser, page string) {
	a.t.Helper()
	b.AwaitPage()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	data, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		a.t.Errorf("picture of %s: %v", page, err)
		return
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		a.t.Error(err)
		return
	}
	on := a.count % (a.columns * a.rows)
	if on == 0 {
		a.sheet = image.NewRGBA(image.Rect(0, 0, a.columns*a.tile(a.width), a.rows*a.tile(a.height)))
	}
	a.count++
	file := fmt.Sprintf("%s-%03d%s.png", a.name, a.count, regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(page, "-"))
	a.keep(file[:min(len(file), 120)], data)
	corner := image.Pt(on%a.columns*a.tile(a.width), on/a.columns*a.tile(a.height))
	top := image.NewRGBA(image.Rect(0, 0, a.width, a.height))
	draw.Draw(top, top.Bounds(), picture, picture.Bounds().Min, draw.Src)
	if a.halve {
		top = halved(top)
	}
	draw.Draw(a.sheet, top.Bounds().Add(corner), top, image.Point{}, draw.Src)
	a.note(fmt.Sprintf("%s-sheet-%02d row %d column %d: %s (%s)\n", a.name, (a.count-1)/(a.columns*a.rows)+1, on/a.columns+1, on%a.columns+1, page, file))
	if on == a.columns*a.rows-1 {
		a.Close()
	}
}

// Close writes the sheet that is begun.
func (a *Album) Close() {
	if a.sheet == nil {
		return
	}
	var data bytes.Buffer
	if err := png.Encode(&data, a.sheet); err != nil {
		a.t.Error(err)
		return
	}
	a.keep(fmt.Sprintf("%s-sheet-%02d.png", a.name, (a.count-1)/(a.columns*a.rows)+1), data.Bytes())
	a.sheet = nil
}

func (a *Album) tile(length int) int {
	if a.halve {
		return length/2 + 2
	}
	return length + 2 // a line between pictures
}

func (a *Album) keep(name string, data []byte) {
	if err := os.WriteFile(filepath.Join(a.dir, name), data, 0o600); err != nil {
		a.t.Error(err)
	}
}

func (a *Album) note(line string) {
	f, err := os.OpenFile(filepath.Join(a.dir, "index.txt"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(line)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		a.t.Error(err)
	}
}

// halved is a picture at half its width and height: each point is the mean of four.
func halved(from *image.RGBA) *image.RGBA {
	size := from.Bounds().Size().Div(2)
	to := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			for c := range 4 {
				at := from.PixOffset(2*x, 2*y) + c
				sum := int(from.Pix[at]) + int(from.Pix[at+4]) + int(from.Pix[at+from.Stride]) + int(from.Pix[at+from.Stride+4])
				to.Pix[to.PixOffset(x, y)+c] = uint8(sum / 4)
			}
		}
	}
	return to
}
