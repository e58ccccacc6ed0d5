package handset

import (
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue/isolink"
)

// words are what the handset says to a person, in one language. The verbs are
// the same in each.
type words struct {
	unknown, usage, badRef, badAmount string
	cardRef                           string
	extra, badTMK, badTime, other     string
	badLimit, badWarn, help, about    string
	noLine, noSettlement, code        string
	different, outstanding            string
	unsendable                        string
	line                              map[isolink.Reason]string
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
	cardRef:   "that looks like a card number; give a name of the payment as its ref, never the card's",
	badAmount: "%q is no amount; give yuan from 0.01 to 50000.00 with at most two decimals",
	extra:     "the argument %q is too much: handset takes flags only; -help lists them",
	badTMK:    "-tmk takes 32 hexadecimal digits",
	badTime:   "-answer-timeout, -retry and -patience take times above zero",
	other:     "%v; -help lists the flags",
	badLimit:  "-batch-limit takes a number from 1 to %d",
	badWarn:   "-warn takes a number above zero",

	noLine:       "terminal %s has no line to its host: %s",
	noSettlement: "terminal %s cannot be settled now: %s",
	code:         "%s (code %s)",
	different:    "batch %d is closed and out of balance: look at its entries %v with the host, which may also have others",
	outstanding:  "entries of batch %d have no end yet or need a person: %v",
	unsendable:   "a message of its settlement cannot be made, and trying again does not help: %v",
	line: map[isolink.Reason]string{
		isolink.NoNetwork:       "there is no network",
		isolink.NoRoute:         "there is a network, but no way to the host",
		isolink.NoName:          "the host's name is not known; check -host",
		isolink.ConnRefused:     "nothing listens at the host's address; is the acquirer running, is -host right?",
		isolink.NoTrust:         "the connection cannot be secured",
		isolink.Silent:          "the host does not answer",
		isolink.Broken:          "the connection broke",
		isolink.HostBusy:        "the host refuses for now",
		isolink.HostRefused:     "the host refuses",
		isolink.TerminalUnknown: "the host does not know this terminal or merchant; have it registered",
		isolink.KeysWrong:       "the working keys are wrong; check -tmk",
	},
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
		"backup":         "another `address` of the same acquirer, for when the first cannot be reached",
		"warn":           "`how many` waiting payments bring an early warning",
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
		"batch-limit":    "how many `records` a batch of the host takes; at that many it is settled in mid-day",
		"arm":            "wait at a trap to be killed, `NAME:PASS`; may be given more than once",
		"eof-quits":      "end at once when standard input ends, whatever is under way",
		"lang":           "language of what it says: `zh|en`; default by the locale",
	},
}

var chinese = words{
	unknown:   "没有 %q 这个命令；输入 help 查看命令",
	usage:     "格式为：%s",
	badRef:    "%q 不能作为参考号；请用 1 至 40 个字母、数字、连字符或斜杠",
	cardRef:   "这像是银行卡号；请用自取的名称作参考号，不要用卡号",
	badAmount: "%q 不是金额；请以元为单位填写 0.01 至 50000.00，最多两位小数",
	extra:     "多余的参数 %q：handset 只接受选项；用 -help 查看",
	badTMK:    "-tmk 需要 32 位十六进制数字",
	badTime:   "-answer-timeout、-retry 和 -patience 必须大于零",
	other:     "%v；用 -help 查看选项",
	badLimit:  "-batch-limit 是 1 至 %d 的整数",
	badWarn:   "-warn 是大于零的整数",

	noLine:       "终端 %s 与主机没有连接：%s",
	noSettlement: "终端 %s 暂时无法结算：%s",
	code:         "%s（应答码 %s）",
	different:    "批次 %d 已结束但不平：请与主机核对分录 %v；主机也可能多出其他交易",
	outstanding:  "批次 %d 中有尚无结果或需人工处理的分录：%v",
	unsendable:   "结算报文无法组成，重试也无济于事：%v",
	line: map[isolink.Reason]string{
		isolink.NoNetwork:       "没有网络",
		isolink.NoRoute:         "有网络，但无法到达主机",
		isolink.NoName:          "找不到主机名；请检查 -host",
		isolink.ConnRefused:     "主机地址没有程序在监听；请确认 acquirer 已启动，-host 无误",
		isolink.NoTrust:         "无法建立安全连接",
		isolink.Silent:          "主机没有应答",
		isolink.Broken:          "连接中断",
		isolink.HostBusy:        "主机暂时拒绝",
		isolink.HostRefused:     "主机拒绝",
		isolink.TerminalUnknown: "主机不认识该终端或商户；请先登记",
		isolink.KeysWrong:       "工作密钥不对；请检查 -tmk",
	},
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
		"backup":         "同一收单主机的备用`地址`，主线路不通时使用",
		"warn":           "待上送达到多少`笔`时提前预警",
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
		"batch-limit":    "主机一个批次的最大`笔数`；达到时当即结算",
		"arm":            "在某一点停下等待强杀，`名称:次数`；可多次给出",
		"eof-quits":      "标准输入结束时立即退出，不管正在做什么",
		"lang":           "提示语言 `zh|en`；默认取自系统区域设置",
	},
}
