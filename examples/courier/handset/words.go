package handset

import "github.com/tallystick/tallystick/examples/courier/screen"

// words are what the handset says to a person, in one language. The verbs are
// the same in each.
type words struct {
	unknown, usage, badRef, badAmount string
	extra, badTMK, badTime, other     string
	help, about                       string
	flags                             map[string]string
}

func wordsOf(l screen.Lang) *words {
	if l == screen.Chinese {
		return &chinese
	}
	return &english
}

var english = words{
	unknown:   "%q is no command; help lists them",
	usage:     "the form is: %s",
	badRef:    "%q is no ref; give 1 to 40 letters, digits, hyphens and slashes",
	badAmount: "%q is no amount; give yuan from 0.01 to 50000.00 with at most two decimals",
	extra:     "the argument %q is too much: handset takes flags only; -help lists them",
	badTMK:    "-tmk takes 32 hexadecimal digits",
	badTime:   "-answer-timeout, -retry and -patience take times above zero",
	other:     "%v; -help lists the flags",
	help: `card REF AMOUNT          take a card: online, without a line offline
qr REF AMOUNT            take a payment code: online only
cash REF AMOUNT          take cash
void REF OF              undo the accepted sale OF of the current batch
refund REF OF AMOUNT     give back AMOUNT of the accepted sale OF
show REF                 what is known of REF now
offline, online          into the tunnel, out of it
status                   what waits, what is delivered
settle                   agree with the hosts and close their batches
quit                     end; REF is any name, AMOUNT is in yuan`,
	about: "handset: a courier's handset. It takes payments by commands on standard input; type help.",
	flags: map[string]string{
		"host":           "`address` of the acquirer",
		"journal":        "`path` of the journal; made when missing, with its key beside it",
		"merchant":       "merchant `number` (DE 42), 15 characters",
		"terminal":       "terminal `number` (DE 41) for cards and codes, 8 characters",
		"cash-terminal":  "terminal `number` (DE 41) of the depot's cash, 8 characters",
		"tmk":            "terminal master `key`, 32 hexadecimal digits; default 11 sixteen times",
		"operator":       "the courier's `number`",
		"offline":        "start without a line; online switches it on",
		"answer-timeout": "how long an answer is waited for",
		"retry":          "the longest pause between two tries",
		"patience":       "how long settle tries",
		"eof-quits":      "end at once when standard input ends, whatever is under way",
		"lang":           "language of what it says: `zh|en`; default by the locale",
	},
}

var chinese = words{
	unknown:   "没有 %q 这个命令；输入 help 查看命令",
	usage:     "格式为：%s",
	badRef:    "%q 不能作为参考号；请用 1 至 40 个字母、数字、连字符或斜杠",
	badAmount: "%q 不是金额；请以元为单位填写 0.01 至 50000.00，最多两位小数",
	extra:     "多余的参数 %q：handset 只接受选项；用 -help 查看",
	badTMK:    "-tmk 需要 32 位十六进制数字",
	badTime:   "-answer-timeout、-retry 和 -patience 必须大于零",
	other:     "%v；用 -help 查看选项",
	help: `card 参考号 金额           刷卡：联机，无网络时脱机
qr 参考号 金额             扫码：只能联机
cash 参考号 金额           现金
void 参考号 原参考号       撤销当前批次中已受理的交易
refund 参考号 原参考号 金额 退还已受理交易的部分或全部金额
show 参考号                查看该参考号的现状
offline, online            进隧道，出隧道
status                     待上送与已上送的笔数
settle                     与主机对账并结束批次
quit                       退出；参考号任取，金额以元为单位`,
	about: "handset：快递员的手持终端。从标准输入读取命令收款；输入 help 查看。",
	flags: map[string]string{
		"host":           "收单主机`地址`",
		"journal":        "日志`路径`；不存在则新建，密钥文件放在旁边",
		"merchant":       "`商户号`（第 42 域），15 个字符",
		"terminal":       "刷卡和扫码的`终端号`（第 41 域），8 个字符",
		"cash-terminal":  "网点现金的`终端号`（第 41 域），8 个字符",
		"tmk":            "终端主`密钥`，32 位十六进制；默认十六个 11",
		"operator":       "快递员`编号`",
		"offline":        "启动时没有网络；用 online 接通",
		"answer-timeout": "等待应答的时间",
		"retry":          "两次尝试之间的最长间隔",
		"patience":       "结算最多尝试多久",
		"eof-quits":      "标准输入结束时立即退出，不管正在做什么",
		"lang":           "提示语言 `zh|en`；默认取自系统区域设置",
	},
}
