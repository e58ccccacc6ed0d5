package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// words are what the screen says, in one language.
type words struct {
	listening, trust, receipts, hint             string
	booked, refusedBy, reversed, conflict, total string
	added, revoked, unknown, help, bye           string
	ops                                          map[queue.Op]string
	whys                                         map[ledger.Why]string
	reversal, entries, journals, none            string
	till                                         string
	damaged, salvaged                            string
}

var english = words{
	listening: "listening on %s",
	trust:     "devices trust %s (SHA-256 %s)",
	receipts:  "receipts are signed by %s",
	hint:      `"add NAME" lets a device in, "help" lists all commands`,
	booked:    "booked", refusedBy: "refused %s", reversed: "reversed", conflict: "SET ASIDE  %s  %s  entry %d %q: %s",
	total:   "%d entries of %d journals",
	added:   "device %s, token (shown this once): %s",
	revoked: "the tokens of %s are good no longer",
	unknown: "unknown command: %s",
	help:    "add NAME | revoke NAME | list | conflicts | hand JOURNAL NAME | help | quit",
	bye:     "closed; all that was answered is on the disk",
	ops:     map[queue.Op]string{queue.Sale: "sale", queue.Void: "void", queue.Refund: "refund", queue.Report: "report"},
	whys: map[ledger.Why]string{ledger.OtherContent: "booked already with other content", ledger.OtherBatch: "booked already under another batch number",
		ledger.OtherSequence: "the ref belongs to another entry", ledger.OlderEpoch: "the journal was restored since: this copy is out of use",
		ledger.TwiceClaimed: "booked, but another device has collected it, too"},
	reversal: "reversal", entries: "entries", journals: "journals", none: "none",
	till:     "%d sold, %d delivered and accepted, %d open",
	damaged:  "put a backup in its place, or start with -salvage",
	salvaged: "the ledger was damaged: %d entries are readable, %d are lost until their devices tell them again; the damaged file is %s",
}

var chinese = words{
	listening: "正在监听 %s",
	trust:     "终端信任证书 %s（SHA-256 %s）",
	receipts:  "回执签名公钥 %s",
	hint:      "输入 “add 名称” 登记终端，“help” 列出全部命令",
	booked:    "已入账", refusedBy: "已拒绝 %s", reversed: "已冲正", conflict: "待人工处理  %s  %s  第 %d 笔 %q：%s",
	total:   "共 %d 笔，%d 本日志",
	added:   "终端 %s 的令牌（仅显示一次）：%s",
	revoked: "终端 %s 的令牌已全部作废",
	unknown: "未知命令：%s",
	help:    "add 名称 | revoke 名称 | list | conflicts | hand 日志 名称 | help | quit",
	bye:     "已关闭；凡已应答的均已落盘",
	ops:     map[queue.Op]string{queue.Sale: "消费", queue.Void: "撤销", queue.Refund: "退货", queue.Report: "报告"},
	whys: map[ledger.Why]string{ledger.OtherContent: "同一笔已按不同内容入账", ledger.OtherBatch: "同一笔已按另一批次号入账",
		ledger.OtherSequence: "该参考号属于另一笔交易", ledger.OlderEpoch: "日志已从备份恢复，此副本已停用",
		ledger.TwiceClaimed: "已入账，但另一终端也已收取"},
	reversal: "冲正", entries: "笔", journals: "本日志", none: "无",
	till:     "共售 %d 笔，已送达并受理 %d 笔，未完成 %d 笔",
	damaged:  "请用备份替换，或以 -salvage 启动",
	salvaged: "账本已损坏：可读 %d 笔，丢失 %d 笔（待终端重新上报）；损坏的文件保留为 %s",
}

// speak chooses the words by -lang, or by the environment.
func speak(lang string) (words, error) {
	if lang == "" {
		lang = "en"
		for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
			if v := os.Getenv(name); v != "" {
				if strings.HasPrefix(v, "zh") {
					lang = "zh"
				}
				break
			}
		}
	}
	switch lang {
	case "en":
		return english, nil
	case "zh":
		return chinese, nil
	}
	return words{}, fmt.Errorf("-lang is en or zh, not %q", lang)
}
