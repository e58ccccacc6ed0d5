package handset

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/tallystick/tallystick/queue"
)

// Problem is something in the way that a person can clear: one sentence in two
// languages.
type Problem struct {
	English, Zh string
	Cause       error
}

func (p *Problem) Error() string { return p.English }

// Chinese returns the sentence in Chinese.
func (p *Problem) Chinese() string { return p.Zh }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// problem makes a Problem from a format in each language with the same verbs
// in the same order.
func problem(cause error, english, chinese string, args ...any) *Problem {
	return &Problem{fmt.Sprintf(english, args...), fmt.Sprintf(chinese, args...), cause}
}

// blocked says what err means to the person whose journal stands at path. An
// error that is no one's to clear stays as it is.
func blocked(path string, err error) error {
	var known *Problem
	var file *fs.PathError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return problem(err, "no space is left on the disk of %s; free some and start again: what was answered is safe",
			"%s 所在的磁盘已满；请清理空间后重新启动：已应答的交易都安全", path)
	case errors.Is(err, queue.ErrHeld):
		return problem(err, "the journal %s is in use (%v); stop that handset first, or give another -journal",
			"日志 %s 正被占用（%v）；请先停止那台终端，或用 -journal 指定别的日志", path, err)
	case errors.Is(err, queue.ErrFormat):
		return problem(err, "%s is not a journal of this program; give another -journal",
			"%s 不是本程序的日志；请用 -journal 指定别的路径", path)
	case errors.Is(err, queue.ErrKey):
		return problem(err, "the key file beside %s is not the one of this journal; put the right one back",
			"%s 旁边的密钥文件不是这本日志的；请放回正确的密钥文件", path)
	case errors.Is(err, queue.ErrDamaged):
		return problem(err, "the journal %s is damaged (%v); keep the file as it is and take it to support",
			"日志 %s 已损坏（%v）；请原样保留文件并联系技术支持", path, err)
	case errors.As(err, &file):
		return problem(err, "the journal %s cannot be used (%v); give a path in a folder that you can write to with -journal",
			"日志 %s 无法使用（%v）；请用 -journal 指定可写文件夹中的路径", path, file.Err)
	}
	return err
}
