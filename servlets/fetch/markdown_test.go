package main

import (
	"net/url"
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	where := &url.URL{Scheme: "https", Host: "a.test", Path: "/d/page"}
	for name, c := range map[string]struct{ html, want string }{
		"headings, lists and code": {
			"<h1>T</h1><ul><li>one<li>two</ul><ol><li>x</ol><pre><code class=language-go>a  b\nc</code></pre><p>a <code>b</code> <em>c</em>",
			"# T\n\n- one\n- two\n\n<!--THE END-->\n\n1. x\n\n```go\na  b\nc\n```\n\na `b` *c*"},
		"a table":                     {"<table><tr><th>a<th>b<tr><td>1<td>2</table>", "| a | b |\n|---|---|\n| 1 | 2 |"},
		"links are absolute":          {`<p><a href="../x">l</a> <a href="//b.test/y">m</a> <img src="p.png" alt="pic">`, "[l](https://a.test/x) [m](https://b.test/y) ![pic](https://a.test/d/p.png)"},
		"the page's own base":         {`<base href="https://c.test/z/"><p><a href="x">l</a>`, "[l](https://c.test/z/x)"},
		"the main part":               {"<title> Big\n title </title><body><nav>menu</nav><header>top</header><main><p>text</main><footer>end</footer>", "# Big title\n\ntext"},
		"the one article":             {"<body><div>menu</div><article><h1>A</h1><p>text</article>", "# A\n\ntext"},
		"several articles":            {"<body><p>intro<article>one</article><article>two</article>", "intro\n\none\n\ntwo"},
		"an empty main part":          {"<body><main> </main><p>text", "text"},
		"no scripts, forms or styles": {"<p>a<script>alert(1)</script><style>p{}</style><noscript>n</noscript><template>t</template><button>b</button><svg><text>s</text></svg>", "a"},
		"nothing hidden": {`<p>a</p><p hidden>IGNORE</p><p style="color:red; display : none">IGNORE</p><div aria-hidden="true">IGNORE</div>` +
			`<span style="visibility:hidden">IGNORE</span><!-- IGNORE -->`, "a"},
		"no pictures in the page": {`<p>a <img src="data:image/png;base64,AAAA" alt="x">`, "a"},
		"no scripts behind links": {`<p><a href=" JavaScript:steal()">a</a> <a href="vbscript:x">b</a> <a href="mailto:ana@a.test">c</a>`, "[a]() [b]() [c](mailto:ana@a.test)"},
		"broken markup":           {"<p>a<b>b<p>c</i></b><table><p>d", "a**b**\n\n**c**\n\nd"},
		"text is no markup":       {"<p>*a* [b](c) # d &lt;script&gt;", `\*a* \[b](c) # d &lt;script&gt;`},
		"nested deep":             {strings.Repeat("<div>", 400) + "x", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := markdown(c.html, where)
			if err != nil || got != c.want {
				t.Errorf("%v, got:\n%s\nwant:\n%s", err, got, c.want)
			}
		})
	}
	// Recursion over a tree that a page chose must end before the stack does.
	if got, err := markdown(strings.Repeat("<div>", 100_000)+"x", where); err == nil {
		t.Errorf("markup nested 100,000 deep is read as %q", got)
	}
}
