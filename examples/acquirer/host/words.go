package host

import (
	"os"
	"strings"
)

// words are what the program says to a person, in one language.
type words struct {
	usage, held, format, damage, inUse, port, path, extra, badKey, other, stopped string
	flags                                                                         map[string]string
}

func (w words) flag(name string) string { return w.flags[name] }

// wordsFor gives Chinese or English: as asked ("zh", "en"), else by the locale.
func wordsFor(lang string) words {
	for _, v := range []string{lang, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")} {
		if v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return chinese()
			}
			break
		}
	}
	return english()
}

func english() words {
	return words{
		usage:   "acquirer: a test host for UnionPay-style POS terminals, with a ledger of its own. Commands on standard input: down, up, status, ask TERMINAL DIGIT, quit.",
		held:    "acquirer: another process holds the ledger %q; stop it, or give another path with -ledger",
		format:  "acquirer: %q is not a ledger of this host; give another path with -ledger",
		damage:  "acquirer: the ledger %q is damaged; keep it, and give another path with -ledger",
		inUse:   "acquirer: the port of %s is in use; stop what uses it, or give another with -listen",
		port:    "acquirer: cannot listen at %q (%v); give another address with -listen",
		path:    "acquirer: the ledger %q cannot be used (%v); give another path with -ledger",
		extra:   "no arguments are expected besides flags",
		badKey:  "-tmk takes 32 hexadecimal digits",
		other:   "acquirer: %v; -h lists the flags",
		stopped: "acquirer: stopped (%v); everything answered is in the ledger, free some space or mend the disk and start again",
		flags: map[string]string{
			"lang":         "language of what it says: `zh|en`; default by the locale",
			"listen":       "`address` to listen at; port 0 takes a free one",
			"ledger":       "`path` of the ledger; made when missing",
			"terminal":     "a known `TERMINAL:MERCHANT`; may be given again; default 10000001 and 10000002 of 898100000000001",
			"tmk":          "terminal master `key`, 32 hexadecimal digits; default 11 sixteen times",
			"seed":         "of the misbehaviour",
			"v":            "one line for each message on standard error",
			"eof-quits":    "end when standard input ends",
			"lose-request": "`probability` that a message is read and ignored",
			"lose-answer":  "`probability` that it is booked and not answered",
			"cut":          "`probability` that the connection is cut in the middle of the answer",
			"late":         "`probability` that the answer is late",
			"late-by":      "how late",
			"twice":        "`probability` that the answer is sent twice",
			"foreign":      "`probability` that the answer carries another merchant",
			"refuse":       "refuse a new 0200 or 0220 with this `CODE:PROBABILITY`",
			"forget":       "answer so many of the next sales 00 without booking them",
			"down-every":   "go down each time after so long",
			"down-for":     "and stay down for so long",
			"only":         "misbehave only for these message types, `0200,0220`",
		},
	}
}

func chinese() words {
	return words{
		usage:   "acquirer：银联风格 POS 终端的测试主机，自带账本。标准输入可用命令：down、up、status、ask 终端号 数字、quit。",
		held:    "acquirer：账本 %q 正被另一个进程占用；请先停止它，或用 -ledger 指定别的路径",
		format:  "acquirer：%q 不是本主机的账本；请用 -ledger 指定别的路径",
		damage:  "acquirer：账本 %q 已损坏；请保留该文件，并用 -ledger 指定别的路径",
		inUse:   "acquirer：%s 的端口已被占用；请停止占用它的程序，或用 -listen 指定别的地址",
		port:    "acquirer：无法监听 %q（%v）；请用 -listen 指定别的地址",
		path:    "acquirer：账本 %q 无法使用（%v）；请用 -ledger 指定别的路径",
		extra:   "除选项外不接受其他参数",
		badKey:  "-tmk 需要 32 位十六进制数字",
		other:   "acquirer：%v；用 -h 查看选项",
		stopped: "acquirer：已停止（%v）；已应答的交易都在账本中，请清理空间或修复磁盘后重新启动",
		flags: map[string]string{
			"lang":         "提示语言 `zh|en`；默认取自系统区域设置",
			"listen":       "监听`地址`；端口 0 表示任选空闲端口",
			"ledger":       "账本`路径`；不存在则新建",
			"terminal":     "认可的 `终端号:商户号`，可多次给出；默认 10000001 与 10000002，商户 898100000000001",
			"tmk":          "终端主`密钥`，32 位十六进制；默认十六个 11",
			"seed":         "捣乱用的随机种子",
			"v":            "在标准错误上为每条报文输出一行",
			"eof-quits":    "标准输入结束时退出",
			"lose-request": "收到后置之不理的`概率`",
			"lose-answer":  "入账后不应答的`概率`",
			"cut":          "应答发到一半断开连接的`概率`",
			"late":         "迟发应答的`概率`",
			"late-by":      "迟多久",
			"twice":        "应答发两遍的`概率`",
			"foreign":      "应答中商户号错误的`概率`",
			"refuse":       "以此应答码拒绝新的 0200 或 0220：`应答码:概率`",
			"forget":       "随后这么多笔消费应答 00 却不入账",
			"down-every":   "每隔多久停机一次",
			"down-for":     "每次停机多久",
			"only":         "只对这些报文类型捣乱：`0200,0220`",
		},
	}
}
