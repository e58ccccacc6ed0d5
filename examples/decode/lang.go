package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed zh.txt
var chineseText string

// lang is a language of the report: nil is English, else what English becomes.
type lang map[string]string

// speak chooses the language by the flag's value, or by the locale.
func speak(flag string, getenv func(string) string) (lang, error) {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if flag == "" && getenv(name) != "" {
			flag = "en"
			if strings.HasPrefix(strings.ToLower(getenv(name)), "zh") {
				flag = "zh"
			}
		}
	}
	switch flag {
	case "", "en":
		return nil, nil
	case "zh":
		return readChinese(), nil
	}
	return nil, fmt.Errorf("-lang is en or zh, not %q", flag)
}

func readChinese() lang {
	l := lang{}
	for line := range strings.Lines(chineseText) {
		if en, zh, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " = "); ok && line[0] != '#' {
			l[en] = zh
		}
	}
	return l
}

// say gives a phrase, or a format, in the language.
func (l lang) say(s string) string {
	if t, ok := l[s]; ok {
		return t
	}
	return s
}

func (l lang) errorf(format string, args ...any) error { return fmt.Errorf(l.say(format), args...) }

// patterns are phrases with figures in them.
var patterns = []struct {
	en *regexp.Regexp
	zh string
}{
	{regexp.MustCompile(`^(\d+) bytes?$`), "$1 字节"},
	{regexp.MustCompile(`^(\d+) bytes, check value (\w+)$`), "$1 字节，校验值 $2"},
	{regexp.MustCompile(`^(\d+) characters$`), "$1 个字符"},
	{regexp.MustCompile(`^([\d.]+) in (\d+)$`), "$1，$2 笔"},
	{regexp.MustCompile(`^[ -~]+[.] (\p{Han}.*。)$`), "$1"}, // a sentence that is there in both
	{regexp.MustCompile(`^has (\d+), at most (\d+)(?: bytes)?$`), "有 $1，最多 $2"},
	{regexp.MustCompile(`^has (-?\d+), needs (-?\d+)(?: bytes)?$`), "有 $1，需要 $2"},
}

// words gives a phrase that may have figures in it, or a number or a tag in
// front.
func (l lang) words(s string) string {
	if t, ok := l[s]; ok || l == nil {
		return map[bool]string{true: t, false: s}[ok]
	}
	if errorForm.MatchString(s) {
		return l.problemIn(s)
	}
	for _, p := range patterns {
		if p.en.MatchString(s) {
			return p.en.ReplaceAllString(s, p.zh)
		}
	}
	lead, rest, ok := strings.Cut(s, " ")
	if t, known := l[rest]; ok && known {
		return lead + " " + t
	}
	if t, known := l[lead]; ok && known {
		return t + " " + rest
	}
	return s
}

var errorForm = regexp.MustCompile(`^iso8583: (?:DE (\d+)(?: ([^:]+))?: )?(.+?)(?: \(((?:has|in|its|not|an|occurs|the|\d).*)\))?(?: at offset (\d+))?$`)

// problem gives what an error of the codec says.
func (l lang) problem(err error) string { return l.problemIn(err.Error()) }

func (l lang) problemIn(text string) string {
	m := errorForm.FindStringSubmatch(text)
	if l == nil || m == nil {
		return text
	}
	s := l.words(m[3])
	if m[1] != "" {
		s = strings.TrimSpace("第 "+m[1]+" 域 "+l.say(m[2])) + "：" + s
	}
	if m[4] != "" {
		s += "（" + l.words(m[4]) + "）"
	}
	if m[5] != "" {
		s += "，字节偏移 " + m[5]
	}
	return s
}

// padded fills s with spaces to a width in columns of a screen, on which
// Chinese characters take two.
func padded(s string, width int) string {
	for _, r := range s {
		width--
		if r >= 0x1100 {
			width--
		}
	}
	return s + strings.Repeat(" ", max(0, width))
}
