package report

import (
	"bufio"
	"fmt"
	"strings"
)

// markdownText escapes all that Markdown, with the tables, links and mentions of
// its dialects, or HTML in it would take for more than text.
var markdownText = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;", "://", "&#58;//", "www.", "www&#46;", "|", `\|`,
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "#", `\#`, "!", `\!`, "~", `\~`, "$", `\$`,
)

func (v *view) markdown(w *bufio.Writer) {
	md := markdownText.Replace
	fmt.Fprintf(w, "# %s\n\n", md(v.title))
	for _, f := range v.facts {
		fmt.Fprintf(w, "- %s%s%s\n", md(f[0]), v.words.colon, md(f[1]))
	}
	fmt.Fprintf(w, "\n**%s**\n", md(v.sentence()))
	for _, t := range v.tables {
		fmt.Fprintf(w, "\n## %s\n\n", md(t.name))
		for _, h := range t.heads {
			fmt.Fprintf(w, "| %s ", md(h.text))
		}
		fmt.Fprint(w, "|\n")
		for _, h := range t.heads {
			if h.right {
				fmt.Fprint(w, "| ---: ")
			} else {
				fmt.Fprint(w, "| --- ")
			}
		}
		fmt.Fprint(w, "|\n")
		for i, row := range t.rows {
			for _, s := range row {
				if s = md(s); t.marked[i] && s != "" {
					s = "**" + s + "**"
				}
				fmt.Fprintf(w, "| %s ", s)
			}
			fmt.Fprint(w, "|\n")
		}
	}
	if len(v.lines) > 0 {
		fmt.Fprintf(w, "\n## %s\n\n", md(v.words.differs))
	}
	for _, l := range v.lines {
		fmt.Fprintf(w, "%d. **%s**%s%s\n", l.Number, md(l.Name), v.words.colon, md(l.What))
		for _, s := range []string{l.Sides, l.Detail, l.Cause, "→ " + l.Next} {
			if s != "" {
				fmt.Fprintf(w, "   - %s\n", md(s))
			}
		}
	}
	if v.more != "" {
		fmt.Fprintf(w, "\n%s\n", md(v.more))
	}
}
