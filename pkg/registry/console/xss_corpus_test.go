package console_test

// corpus are texts that run or load something where a page, or a part of it, takes them for more than text. Each names the marker pwned, which
// the browser's test looks for.
var corpus = []string{
	// Elements.
	`<script>window.pwned=1</script>`,
	`</script><script>window.pwned=1</script>`,
	`<img src=x onerror=window.pwned=1>`,
	`<svg onload=window.pwned=1>`,
	`<svg><script>window.pwned=1</script></svg>`,
	`<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>`,
	`<svg><a xlink:href="javascript:window.pwned=1"><text y=9>x</text></a></svg>`,
	`<math><mtext></table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.pwned=1&gt;">`,
	`<math href="javascript:window.pwned=1">x</math>`,
	`<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
	`<object data="javascript:window.pwned=1"></object>`,
	`<embed src="javascript:window.pwned=1">`,
	`<base href="https://evil.example/">`,
	`<meta http-equiv="refresh" content="0;url=https://evil.example/">`,
	`<link rel=stylesheet href="https://evil.example/x.css">`,
	`<style>@import "https://evil.example/x.css";</style>`,
	`<form action="https://evil.example/"><input name=password></form>`,
	`<button formaction="javascript:window.pwned=1">x</button>`,
	`<details open ontoggle=window.pwned=1>x</details>`,
	`<input autofocus onfocus=window.pwned=1>`,
	`<template><img src=x onerror=window.pwned=1></template>`,
	`<noscript><p title="</noscript><img src=x onerror=window.pwned=1>">`,
	// Ways out of attributes, elements and comments.
	`"><img src=x onerror=window.pwned=1>`,
	`' onmouseover='window.pwned=1`,
	`" autofocus onfocus="window.pwned=1`,
	"` onmouseover=`window.pwned=1",
	`</textarea><script>window.pwned=1</script>`,
	`</title><script>window.pwned=1</script>`,
	`</pre></code></td></table><img src=x onerror=window.pwned=1>`,
	`--><img src=x onerror=window.pwned=1><!--`,
	`]]><img src=x onerror=window.pwned=1>`,
	// Addresses.
	`javascript:window.pwned=1`,
	"\x01JaVa\tScRiPt:window.pwned=1",
	`data:text/html,<script>window.pwned=1</script>`,
	`vbscript:window.pwned=1`,
	`//evil.example/x`,
	`https://evil.example/"onmouseover="window.pwned=1`,
	// Templates, style sheets, encodings.
	`{{.User}}{{"<script>window.pwned=1</script>"}}`,
	`${window.pwned=1}#{window.pwned=1}<%= window.pwned=1 %>`,
	`x;}</style><img src=x onerror=window.pwned=1>`,
	`background:url(javascript:window.pwned=1)`,
	`&lt;script&gt;window.pwned=1&lt;/script&gt;`,
	`&#60;img src=x onerror=window.pwned=1&#62;`,
	"\uff1cscript\uff1ewindow.pwned=1\uff1c/script\uff1e",
	"\u202e<script>window.pwned=1</script>\u2066",
	`+ADw-script+AD4-window.pwned=1+ADw-/script+AD4-`,
	`[x](javascript:window.pwned=1) ![x](x"onerror="window.pwned=1) <javascript:window.pwned=1>`,
	"[x]: javascript:window.pwned=1\n\n[x] `</code><img src=x onerror=window.pwned=1>`",
}

// benign are texts of the same uses as the corpus, which show what pages are made of: accepted ones and refused ones, an address, Markdown.
var benign = []string{
	"plain", "two words", "https://example.com/x", "a?b*c|d;e", "/_system/config/nowhere", "one\ntwo", "-", "1", "\x01",
	"*a* `b` [c](https://example.com/d) ![e](f.png) <https://example.com/>", "# A\n\n- b\n\n> c\n\n```\nd\n```\n\n| e |\n|---|\n| f |\n\n1. g\n\n***\n\n~~h~~",
}
