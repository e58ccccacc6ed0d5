package screen

import (
	"errors"

	"github.com/tallystick/tallystick/examples/courier/route"
)

// texts are all the words of one language. A format's verbs are the same in
// each language and in the same order.
type texts struct {
	begin, conditions, listening            string
	progress, tender, taken, uploads, comma string
	refused                                 string
	outageBegins, outageEnds                string
	primaryDown, primaryUp                  string
	overBackup, overPrimary                 string
	session, warning, allClear              string
	kill, restart                           string
	reversal, void, refund                  string
	settling, details                       string
	kept, failed                            string
	parcelsLabel, uploadsLabel              string
	detailsLabel                            string
	networkUp, networkDown                  string
	categoryHead, count, sum                string
	acknowledged, journal, host             string
	differs                                 string
	noDifference, differences               string
	difference, moreDifferences             string
	tenders                                 [len(route.Tenders) + 1]string // by route.Tender
	moments                                 [moments]string
	transitions                             [transitions]string
	steps                                   [steps]string
	categories                              [categories]string
	differenceKinds                         [differenceKinds]string
	translated                              func(error) (string, bool) // nil: errors speak English
}

func textsOf(l Lang) *texts {
	if l == Chinese {
		return &chinese
	}
	return &english
}

// sentence is what err says in this language, as far as it speaks it.
func (t *texts) sentence(err error) string {
	if t.translated != nil {
		if text, ok := t.translated(err); ok {
			return text
		}
	}
	return err.Error()
}

// inChinese finds the Chinese sentence of an error that has one.
func inChinese(err error) (string, bool) {
	var speaker interface{ Chinese() string }
	if !errors.As(err, &speaker) {
		return "", false
	}
	return speaker.Chinese(), true
}

var english = texts{
	begin:           "A courier's day on route %s: %d parcels, %s yuan to collect",
	conditions:      "seed %d, %d kills planned, %d%% of requests and of answers lost",
	listening:       "the acquirer listens at %s",
	progress:        "%s: %s; %s",
	tender:          "%s %d (%s)",
	taken:           "taken %d (%s)",
	comma:           ", ",
	uploads:         "%d uploaded, %d waiting",
	refused:         "payment for %s refused, the parcel goes back",
	outageBegins:    "network down",
	outageEnds:      "network up again",
	primaryDown:     "the primary line to the acquirer is down",
	primaryUp:       "the primary line to the acquirer is up again",
	overBackup:      "terminal %s changes to the backup line",
	overPrimary:     "terminal %s is back on the primary line",
	session:         "terminal %s %s",
	warning:         "warning, terminal %s: %s",
	allClear:        "all clear, terminal %s: %s",
	kill:            "kill %d of %d: the handset was killed %s",
	restart:         "the handset runs again, entries found in doubt: %d",
	reversal:        "reversed: %s",
	void:            "voided: %s, %s yuan",
	refund:          "refunded: %s, %s yuan",
	settling:        "settlement of terminal %s: %s",
	details:         "%d of %d entries sent one by one",
	kept:            "the day's files are in %s",
	failed:          "error: %s",
	parcelsLabel:    "parcels",
	uploadsLabel:    "uploads",
	detailsLabel:    "batch upload",
	networkUp:       "network up",
	networkDown:     "network down",
	categoryHead:    "yuan",
	count:           "count",
	sum:             "sum",
	acknowledged:    "acknowledged",
	journal:         "journal",
	host:            "host",
	differs:         "differs",
	noDifference:    "All three agree, entry by entry.",
	differences:     "Entries that differ: %d",
	difference:      "  %s %s: acknowledged %s, journal %s, host %s",
	moreDifferences: "  and %d more",
	tenders:         [...]string{"other", "card", "QR", "cash"},
	moments: [...]string{
		AtRandom:       "at a random moment",
		InAttempt:      "in an attempt",
		WhileAnswering: "while an answer was under way",
		InUpload:       "in mid-upload",
		InSettlement:   "in mid-settlement",
	},
	transitions: [...]string{
		Connecting: "connects",
		Connected:  "is connected",
		LineLost:   "has lost its connection",
		NoLine:     "has no line",
		SigningIn:  "signs in",
		SignedIn:   "is signed in",
		SignedOff:  "is signed off",
		SignInDue:  "has to sign in anew",
		HostAsks:   "is asked for something by the host",
		HostObeyed: "has done what the host asked for",
	},
	steps: [...]string{
		ClosingBatch:    "closing the batch",
		Draining:        "delivering what is left in it",
		ComparingTotals: "comparing totals with the host",
		SendingDetails:  "totals differ, sending the entries one by one",
		EndingBatch:     "ending the batch upload",
		Settled:         "settled",
	},
	categories: [...]string{
		CardOnline:  "card, online",
		CardOffline: "card, offline",
		QRCode:      "QR code",
		CashTaken:   "cash",
		Voids:       "voids",
		Refunds:     "refunds",
		Reversals:   "reversals",
		Total:       "total",
	},
	differenceKinds: [...]string{Lost: "lost", Doubled: "doubled", Different: "different"},
}

var chinese = texts{
	begin:           "快递员的一天，路线 %s：%d 个包裹，应收 %s 元",
	conditions:      "随机种子 %d，计划强杀 %d 次，请求和应答各丢失 %d%%",
	listening:       "收单主机已在 %s 监听",
	progress:        "%s：%s；%s",
	tender:          "%s %d 笔（%s）",
	taken:           "已收 %d 笔（%s）",
	comma:           "，",
	uploads:         "已上送 %d 笔，待上送 %d 笔",
	refused:         "运单 %s 付款被拒，包裹退回",
	outageBegins:    "网络中断",
	outageEnds:      "网络恢复",
	primaryDown:     "到收单主机的主线路中断",
	primaryUp:       "到收单主机的主线路恢复",
	overBackup:      "终端 %s 改走备用线路",
	overPrimary:     "终端 %s 回到主线路",
	session:         "终端 %s %s",
	warning:         "预警，终端 %s：%s",
	allClear:        "预警解除，终端 %s：%s",
	kill:            "第 %d 次强杀（共 %d 次）：手持终端%s被杀死",
	restart:         "手持终端已重启，发现未决交易 %d 笔",
	reversal:        "已冲正：%s",
	void:            "已撤销：%s，%s 元",
	refund:          "已退货：%s，%s 元",
	settling:        "终端 %s 结算：%s",
	details:         "逐笔上送 %d/%d 笔",
	kept:            "当天的文件保存在 %s",
	failed:          "错误：%s",
	parcelsLabel:    "包裹",
	uploadsLabel:    "上送",
	detailsLabel:    "批上送",
	networkUp:       "网络正常",
	networkDown:     "网络中断",
	categoryHead:    "单位：元",
	count:           "笔数",
	sum:             "金额",
	acknowledged:    "终端已确认",
	journal:         "流水日志",
	host:            "收单主机",
	differs:         "不一致",
	noDifference:    "三方逐笔核对一致。",
	differences:     "不一致的交易：%d 笔",
	difference:      "  %s %s：终端已确认 %s，流水日志 %s，收单主机 %s",
	moreDifferences: "  另有 %d 笔",
	tenders:         [...]string{"其他", "刷卡", "扫码", "现金"},
	moments: [...]string{
		AtRandom:       "在随机时刻",
		InAttempt:      "在发送请求途中",
		WhileAnswering: "在应答返回途中",
		InUpload:       "在上送途中",
		InSettlement:   "在结算途中",
	},
	transitions: [...]string{
		Connecting: "正在连接",
		Connected:  "已连接",
		LineLost:   "连接断开",
		NoLine:     "没有线路",
		SigningIn:  "正在签到",
		SignedIn:   "已签到",
		SignedOff:  "已签退",
		SignInDue:  "需要重新签到",
		HostAsks:   "收到主机的处理要求",
		HostObeyed: "已完成主机的处理要求",
	},
	steps: [...]string{
		ClosingBatch:    "关闭批次",
		Draining:        "上送批次内剩余交易",
		ComparingTotals: "与主机核对总额",
		SendingDetails:  "总额不符，逐笔批上送",
		EndingBatch:     "批上送结束",
		Settled:         "结算完成",
	},
	categories: [...]string{
		CardOnline:  "刷卡（联机）",
		CardOffline: "刷卡（脱机）",
		QRCode:      "扫码",
		CashTaken:   "现金",
		Voids:       "撤销",
		Refunds:     "退货",
		Reversals:   "冲正",
		Total:       "合计",
	},
	differenceKinds: [...]string{Lost: "丢失", Doubled: "重复", Different: "不符"},
	translated:      inChinese,
}
