//! Every text that people read in their language, in one table: English, Chinese, Italian, German.
//!
//! A text has a stable code; programs read the code (`--json`), people the text. `{0}` and `{1}` stand
//! for what is put in. A text that lacks a language does not compile.

use super::Language;

macro_rules! texts {
    ($($name:ident $code:literal: $en:literal, $zh:literal, $it:literal, $de:literal;)+) => {
        /// A text, by what it says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::cli) enum Text { $($name),+ }

        impl Text {
            /// Every text there is.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its stable code: a group and a word.
            pub(in crate::cli) const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The text in a language, with its places open.
            pub(super) const fn text(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Self::$name, Language::English) => $en,
                        (Self::$name, Language::Chinese) => $zh,
                        (Self::$name, Language::Italian) => $it,
                        (Self::$name, Language::German) => $de,
                    )+
                }
            }
        }
    };
}

texts! {
    // What a figure knows of a unit.
    StateReported "state.reported": "reported", "已上报", "comunicato", "gemeldet";
    StatePartial "state.partial": "partial", "部分上报", "parziale", "teilweise";
    StateAwaited "state.awaited": "awaited", "待上报", "atteso", "erwartet";
    StateLate "state.late": "late", "逾期", "in ritardo", "verspätet";
    StateNeverReported "state.never_reported": "never reported", "从未上报", "mai comunicato", "nie gemeldet";
    StateDeclined "state.declined": "declined", "已拒绝", "rifiutato", "abgelehnt";
    StateNotAdopted "state.not_adopted": "not adopted", "未采用", "non adottato", "nicht übernommen";
    StateNoReport "state.no_report": "no report", "无报告", "nessun rapporto", "keine Meldung";
    StateNotDue "state.not_due": "not due", "无需上报", "non dovuto", "nicht fällig";
    StateRevoked "state.revoked": "revoked", "证书已吊销", "revocato", "widerrufen";
    StateOtherDefinition "state.other_definition": "other definition", "定义不同", "altra definizione", "andere Definition";
    StateImplausible "state.implausible": "implausible", "数据不合理", "non plausibile", "unplausibel";
    StateWithdrawn "state.withdrawn": "withdrawn", "已撤回", "ritirato", "zurückgezogen";
    StateUnreachable "state.unreachable": "unreachable", "无法联系", "irraggiungibile", "nicht erreichbar";
    StateLeft "state.left": "left the register", "已退出名册", "uscito dal registro", "nicht mehr im Verzeichnis";

    // Why a unit tells no figure.
    NoticeDeclined "notice.declined": "policy declines to tell it", "政策拒绝提供", "la policy rifiuta di comunicarlo", "die Richtlinie lehnt die Auskunft ab";
    NoticeNotAdopted "notice.not_adopted": "the unit has not adopted the indicator", "本单位尚未采用该指标", "l'unità non ha adottato l'indicatore", "die Einheit hat den Indikator nicht übernommen";
    NoticeNotDue "notice.not_due": "the unit need not report this period", "本单位无需上报该期间", "l'unità non deve comunicare questo periodo", "die Einheit muss diesen Zeitraum nicht melden";
    NoticeNoReport "notice.no_report": "the unit's own sources have not reported", "本单位的数据来源尚未上报", "le fonti dell'unità non hanno comunicato", "die eigenen Quellen der Einheit haben nicht gemeldet";
    NoticeWithdrawn "notice.withdrawn": "the figure was withdrawn", "该数据已撤回", "il dato è stato ritirato", "die Zahl wurde zurückgezogen";
    NoticeUnknownIndicator "notice.unknown_indicator": "the unit does not know the indicator", "本单位不认识该指标", "l'unità non conosce l'indicatore", "die Einheit kennt den Indikator nicht";
    NoticeSealed "notice.sealed": "the period is sealed; its figure stands", "该期间已封存，其数据不变", "il periodo è chiuso; il suo dato resta", "der Zeitraum ist versiegelt; seine Zahl bleibt";

    // Why an edition revises the one before.
    ReasonUpdate "reason.update": "update", "更新", "aggiornamento", "Aktualisierung";
    ReasonCorrection "reason.correction": "correction", "更正", "correzione", "Berichtigung";
    ReasonLateReports "reason.late_reports": "late reports", "补报", "comunicazioni tardive", "Nachmeldungen";
    ReasonDuplicateRemoved "reason.duplicate_removed": "duplicate removed", "删除重复", "duplicato rimosso", "Dublette entfernt";
    ReasonReclassified "reason.reclassified": "reclassified", "重新归类", "riclassificazione", "umgruppiert";
    ReasonDefinitionChanged "reason.definition_changed": "definition changed", "定义变更", "definizione modificata", "Definition geändert";
    ReasonWithdrawn "reason.withdrawn": "withdrawn", "撤回", "ritirato", "zurückgezogen";
    ReasonInputsChanged "reason.inputs_changed": "inputs changed", "下级数据变化", "dati sottostanti cambiati", "Zulieferungen geändert";

    // How peers stand to this node, and classes of recipients.
    PeerSuperior "peer.superior": "superior", "上级", "superiore", "übergeordnet";
    PeerSubordinate "peer.subordinate": "subordinate", "下级", "subordinato", "untergeordnet";
    PeerHome "peer.home": "home", "本单位", "stessa sede", "eigenes Haus";
    ClassSuperior "class.superior": "superior", "上级", "superiore", "übergeordnete Stelle";
    ClassNeighbour "class.neighbour": "neighbour", "邻近单位", "vicino", "Nachbarn";
    ClassPublic "class.public": "public", "公众", "pubblico", "Öffentlichkeit";

    // Why a peer's message is refused.
    RefusalMalformed "refusal.malformed": "the message does not decode; the sender's program is at fault", "消息无法解码；发送方程序有误", "il messaggio non si decodifica; il difetto è nel programma del mittente", "die Nachricht ist nicht lesbar; der Fehler liegt im Programm des Absenders";
    RefusalOutOfPlace "refusal.out_of_place": "the message is not allowed in this relation or before the hello", "此关系中或问候之前不允许该消息", "il messaggio non è ammesso in questa relazione o prima del saluto", "die Nachricht ist in dieser Beziehung oder vor der Begrüßung nicht erlaubt";
    RefusalBadChain "refusal.bad_chain": "the certificate chain does not lead to this federation's root", "证书链不通向本联邦的根", "la catena di certificati non porta alla radice di questa federazione", "die Zertifikatskette führt nicht zur Wurzel dieser Föderation";
    RefusalExpired "refusal.expired": "a certificate has expired; renew it with `reeve certificate renew`", "证书已过期；请用 `reeve certificate renew` 续期", "un certificato è scaduto; rinnovarlo con `reeve certificate renew`", "ein Zertifikat ist abgelaufen; mit `reeve certificate renew` erneuern";
    RefusalNotYetValid "refusal.not_yet_valid": "a certificate is not valid yet, or a statement is older than it; check both clocks", "证书尚未生效，或声明早于证书；请检查双方时钟", "un certificato non è ancora valido, o una dichiarazione è più vecchia; controllare i due orologi", "ein Zertifikat ist noch nicht gültig, oder eine Erklärung ist älter; beide Uhren prüfen";
    RefusalRevoked "refusal.revoked": "a certificate was revoked by its issuer", "证书已被签发者吊销", "un certificato è stato revocato da chi lo ha emesso", "ein Zertifikat wurde vom Aussteller widerrufen";
    RefusalOutOfArea "refusal.out_of_area": "a certificate is for another area than its issuer's", "证书所属区域不在签发者辖区内", "un certificato è per un'area diversa da quella di chi lo ha emesso", "ein Zertifikat gilt für ein anderes Gebiet als das seines Ausstellers";
    RefusalOtherKey "refusal.other_key": "the certificate is for another key than the one that connected", "证书所属密钥与连接所用密钥不同", "il certificato è per una chiave diversa da quella che si è collegata", "das Zertifikat gehört zu einem anderen Schlüssel als dem der Verbindung";
    RefusalBadSignature "refusal.bad_signature": "the signature does not fit; the statement was altered or forged", "签名不符；声明被篡改或伪造", "la firma non corrisponde; la dichiarazione è stata alterata o falsificata", "die Unterschrift passt nicht; die Erklärung wurde verändert oder gefälscht";
    RefusalNoRight "refusal.no_right": "the signer's certificate does not allow this kind of statement", "签署者的证书不允许此类声明", "il certificato di chi firma non permette questo tipo di dichiarazione", "das Zertifikat des Unterzeichners erlaubt diese Art von Erklärung nicht";
    RefusalOtherAudience "refusal.other_audience": "the statement is for another audience", "该声明的对象是他方", "la dichiarazione è per altri destinatari", "die Erklärung ist für andere Empfänger";
    RefusalOtherFederation "refusal.other_federation": "the statement is for another federation", "该声明属于另一联邦", "la dichiarazione è di un'altra federazione", "die Erklärung gehört zu einer anderen Föderation";
    RefusalOtherIssuer "refusal.other_issuer": "the statement is from another unit than its sender may speak for", "声明所属单位不是发送方可代表的单位", "la dichiarazione è di un'unità per cui il mittente non può parlare", "die Erklärung stammt von einer Einheit, für die der Absender nicht sprechen darf";
    RefusalOldEdition "refusal.old_edition": "a newer edition of this figure is held already", "已有该数据的较新版次", "c'è già un'edizione più recente di questo dato", "eine neuere Ausgabe dieser Zahl liegt schon vor";
    RefusalOldTerm "refusal.old_term": "the unit reports under a newer term already", "该单位已在较新任期下上报", "l'unità comunica già in un mandato più recente", "die Einheit meldet schon unter einer neueren Amtszeit";
    RefusalEquivocation "refusal.equivocation": "another statement with the same term and edition is held already", "已有任期和版次相同的另一声明", "c'è già un'altra dichiarazione con lo stesso mandato e la stessa edizione", "eine andere Erklärung mit gleicher Amtszeit und Ausgabe liegt schon vor";
    RefusalClockSkew "refusal.clock_skew": "the statement is dated in the future; check both clocks", "声明的日期在未来；请检查双方时钟", "la dichiarazione è datata nel futuro; controllare i due orologi", "die Erklärung ist in die Zukunft datiert; beide Uhren prüfen";
    RefusalStale "refusal.stale": "the statement's validity has ended", "声明的有效期已过", "la validità della dichiarazione è finita", "die Gültigkeit der Erklärung ist abgelaufen";
    RefusalOldVersion "refusal.old_version": "a newer version is held already", "已有较新版本", "c'è già una versione più recente", "eine neuere Fassung liegt schon vor";
    RefusalLedgerRegressed "refusal.ledger_regressed": "the ledger went back; reconcile before reporting", "台账倒退；上报前请先核对", "il registro delle emissioni è tornato indietro; riconciliare prima di comunicare", "das Hauptbuch ging zurück; vor dem Melden abgleichen";
    RefusalOverLimit "refusal.over_limit": "the message is over a limit", "消息超出限制", "il messaggio supera un limite", "die Nachricht überschreitet eine Grenze";
    RefusalWriterRight "refusal.writer_right": "the writer may not write this kind", "该写入者无权写入此类记录", "chi scrive non può scrivere questo tipo", "der Schreiber darf diese Art nicht schreiben";
    RefusalFork "refusal.fork": "the writer has forked its changes and is cut off", "该写入者的变更已分叉，已被切断", "chi scrive ha biforcato le sue modifiche ed è escluso", "der Schreiber hat seine Änderungen verzweigt und ist abgeschnitten";
    RefusalBadChange "refusal.bad_change": "the change does not fit the schema or its signed hash", "变更与模式或其签名摘要不符", "la modifica non corrisponde allo schema o alla sua impronta firmata", "die Änderung passt nicht zum Schema oder zu ihrem signierten Hash";
    RefusalOtherVersion "refusal.other_version": "the peer speaks another version; update the older node", "对方使用另一版本；请更新较旧的节点", "il nodo parla un'altra versione; aggiornare quello più vecchio", "die Gegenstelle spricht eine andere Version; den älteren Knoten aktualisieren";
    RefusalBusy "refusal.busy": "too much at once; it will be sent again", "一次过多；将重新发送", "troppo in una volta; sarà inviato di nuovo", "zu viel auf einmal; es wird erneut gesendet";
    RefusalNotFound "refusal.not_found": "what was asked for is not here", "此处没有所要的内容", "quanto richiesto non è qui", "das Gefragte ist nicht hier";
    RefusalBadParts "refusal.bad_parts": "a chunk of the statement's table is missing or wrong", "声明表格的一块缺失或有误", "una parte della tabella della dichiarazione manca o è errata", "ein Teil der Tabelle der Erklärung fehlt oder ist falsch";
    RefusalStaleList "refusal.stale_list": "a revocation list is too old; its issuer must sign a new one", "吊销列表过旧；其签发者须签署新的列表", "una lista di revoca è troppo vecchia; chi l'ha emessa deve firmarne una nuova", "eine Sperrliste ist zu alt; ihr Aussteller muss eine neue unterzeichnen";
    RefusalUnknownPeer "refusal.unknown_peer": "this node was not admitted; use `reeve invite` and `reeve join`", "本节点未获接纳；请使用 `reeve invite` 和 `reeve join`", "questo nodo non è stato ammesso; usare `reeve invite` e `reeve join`", "dieser Knoten wurde nicht aufgenommen; `reeve invite` und `reeve join` benutzen";
    RefusalUnreconciled "refusal.unreconciled": "the superior has not said yet what it holds of this node's ledger; connect to it, and try again", "上级尚未说明持有本节点台账的哪些内容；请连接上级后重试", "il superiore non ha ancora detto che cosa ha del registro di questo nodo; collegarsi e riprovare", "die übergeordnete Stelle hat noch nicht gesagt, was sie vom Hauptbuch dieses Knotens hat; verbinden und erneut versuchen";
    RefusalBadDeclaration "refusal.bad_declaration": "a declaration has no name or level, ends before it begins, or is longer than 366 days", "声明没有名称或级别、结束早于开始，或超过 366 天", "una dichiarazione non ha nome o livello, finisce prima di iniziare, o supera 366 giorni", "eine Erklärung hat keinen Namen oder keine Stufe, endet vor ihrem Beginn oder dauert länger als 366 Tage";
    RefusalNotReporting "refusal.not_reporting": "another node reports for this unit by now; reports go to that one", "该单位现由另一节点上报；报告应发给该节点", "ormai un altro nodo comunica per questa unità; le comunicazioni vanno a quello", "für diese Einheit meldet inzwischen ein anderer Knoten; Meldungen gehen an diesen";
    RefusalOtherAuthority "refusal.other_authority": "an authority has another key than before, and its certificate does not say how it came to it; compare keys over another channel", "某主管机构的密钥与先前不同，且其证书未说明由来；请通过其他渠道核对密钥", "un'autorità ha un'altra chiave rispetto a prima, e il suo certificato non dice come vi sia giunta; confrontare le chiavi per un altro canale", "eine Behörde hat einen anderen Schlüssel als zuvor, und ihr Zertifikat sagt nicht, wie sie dazu kam; Schlüssel auf anderem Weg vergleichen";
    RefusalLedgerForked "refusal.ledger_forked": "the unit has signed two ledgers in this term, and that is proven; its authority must appoint a node for a later term", "该单位在本任期内签署了两本台账，且已被证实；其主管机构须为更后的任期任命节点", "l'unità ha firmato due registri in questo mandato, ed è provato; la sua autorità deve nominare un nodo per un mandato successivo", "die Einheit hat in dieser Amtszeit zwei Hauptbücher unterzeichnet, und das ist bewiesen; ihre Behörde muss einen Knoten für eine spätere Amtszeit bestellen";
    RefusalSealed "refusal.sealed": "the nodes of this home have not removed the same records yet; they tell each other what was sealed first", "本单位各节点尚未删除相同的记录；它们先互相告知已封存的内容", "i nodi di questa sede non hanno ancora rimosso gli stessi dati; si dicono prima che cosa è stato sigillato", "die Knoten dieses Hauses haben noch nicht dieselben Datensätze entfernt; sie sagen einander zuerst, was versiegelt wurde";

    // Numbers, lists and ages.
    Interval "number.interval": "{0} to {1}", "{0} 至 {1}", "da {0} a {1}", "{0} bis {1}";
    SumOverCount "number.over": "{0} over {1}", "{0} 除以 {1}", "{0} su {1}", "{0} durch {1}";
    NoValue "number.none": "no value", "无数值", "nessun valore", "kein Wert";
    AndMore "list.more": "and {0} more", "另有 {0} 个", "e altri {0}", "und {0} weitere";
    AgeUnderMinute "age.less": "<1min", "<1分", "<1min", "<1min";
    AgeMinutes "age.minutes": "{0}min", "{0}分", "{0}min", "{0}min";
    AgeHours "age.hours": "{0}h", "{0}时", "{0}h", "{0}h";
    AgeDays "age.days": "{0}d", "{0}天", "{0}g", "{0}d";
    Yes "yes": "yes", "是", "sì", "ja";
    No "no": "no", "否", "no", "nein";

    PeriodNow "period.now": "now", "现在", "ora", "jetzt";

    // The situation.
    SituationCount "situation.count": "Indicators: {0}", "指标：{0}", "Indicatori: {0}", "Indikatoren: {0}";
    CountAlarm "situation.count_alarm": "beyond the threshold: {0}", "触及阈值：{0}", "oltre la soglia: {0}", "jenseits der Schwelle: {0}";
    CountNotKnown "situation.count_not_known": "not known: {0}", "未知：{0}", "non noti: {0}", "nicht bekannt: {0}";
    CountCannotTell "situation.count_cannot_tell": "cannot tell: {0}", "无法判断：{0}", "incerti: {0}", "unklar: {0}";
    CountOutdated "situation.count_outdated": "outdated: {0}", "过期：{0}", "superati: {0}", "veraltet: {0}";
    CountIncomplete "situation.count_incomplete": "incomplete: {0}", "不完整：{0}", "incompleti: {0}", "unvollständig: {0}";
    CountComplete "situation.count_complete": "complete: {0}", "完整：{0}", "completi: {0}", "vollständig: {0}";
    AlarmAbove "situation.alarm_above": "ABOVE {0}", "警报：高于 {0}", "SOPRA {0}", "ÜBER {0}";
    AlarmBelow "situation.alarm_below": "BELOW {0}", "警报：低于 {0}", "SOTTO {0}", "UNTER {0}";
    FineAbove "situation.above": "above {0}", "高于 {0}", "sopra {0}", "über {0}";
    FineBelow "situation.below": "below {0}", "低于 {0}", "sotto {0}", "unter {0}";
    NotKnown "situation.not_known": "NOT KNOWN", "未知", "NON NOTO", "UNBEKANNT";
    CannotTell "situation.cannot_tell": "CANNOT TELL", "无法判断", "INCERTO", "UNKLAR";
    Outdated "situation.outdated": "OUTDATED", "过期", "SUPERATO", "VERALTET";
    Incomplete "situation.incomplete": "incomplete", "不完整", "incompleto", "unvollständig";
    Complete "situation.complete": "complete", "完整", "completo", "vollständig";
    HeadFigure "situation.figure": "figure", "数据", "dato", "Zahl";
    HeadSinceDay "situation.since_day": "since day", "较前日", "dal giorno", "zum Vortag";
    HeadSinceEdition "situation.since_edition": "since ed.", "较前版", "dall'ed.", "zur Ausg.";
    HeadUnits "situation.units": "units", "单位", "unità", "Einh.";
    HeadPeople "situation.people": "people", "人口", "abitanti", "Bevölk.";
    HeadData "situation.data": "data", "数据龄", "età", "Alter";
    IndicatorsOf "situation.indicators": "{0} indicators", "{0} 项指标", "{0} indicatori", "{0} Indikatoren";
    ThisUnit "situation.this_unit": "this unit itself", "本单位自身", "questa unità", "diese Einheit selbst";
    NoteUnits "situation.note_units": "* not of the same units: the change may be theirs", "* 所含单位不同：变化可能由此而来", "* unità non uguali: la differenza può venire da loro", "* nicht dieselben Einheiten: die Änderung kann von ihnen kommen";
    NoteRevised "situation.note_revised": "{0}: revised today, earlier periods: {1}, in all {2} ({3})", "{0}：今日修订的较早期间：{1}，合计 {2}（{3}）", "{0}: periodi precedenti rivisti oggi: {1}, in tutto {2} ({3})", "{0}: heute geänderte frühere Zeiträume: {1}, zusammen {2} ({3})";
    NotePopulation "situation.note_population": "population unknown (units: {0}); `reeve register set` enters it", "人口未知（单位数：{0}）；请用 `reeve register set` 登记", "popolazione non nota (unità: {0}); `reeve register set` la inserisce", "Bevölkerung unbekannt (Einheiten: {0}); `reeve register set` trägt sie ein";
    NoteUnnamed "situation.note_unnamed": "not in full, and not named: {0} more units", "未完整上报且未列名的单位还有：{0}", "non complete e non nominate: altre {0} unità", "nicht vollständig und nicht genannt: {0} weitere Einheiten";
    NoteSealed "situation.note_sealed": "{0}: records before {1} were removed; the figure stands", "{0}：{1} 之前的记录已清除；数据不变", "{0}: i dati prima del {1} sono stati rimossi; il risultato resta", "{0}: Datensätze vor {1} wurden entfernt; die Zahl bleibt";
    NoteSources "situation.note_sources": "no word from {0}:", "{0} 尚无消息：", "nessuna notizia da {0}:", "keine Nachricht von {0}:";
    NoteOwn "situation.note_own": "the unit's own tables as they are: they stay in this house", "本单位自有表的原样：不出本单位", "le tabelle proprie dell'unità così come sono: restano in questa sede", "die eigenen Tabellen der Einheit, wie sie sind: sie bleiben im Haus";
    NoteWithheld "situation.note_withheld": "not shown to you, by policy: {0} more indicators", "按政策不向您显示的指标还有：{0}", "non mostrati per policy: altri {0} indicatori", "laut Richtlinie nicht für Sie: {0} weitere Indikatoren";

    // A figure.
    QueryWhere "query.where": "{0} in {1}, {2}", "{0}，{1}，{2}", "{0} in {1}, {2}", "{0} in {1}, {2}";
    HeadArea "query.area": "area", "区域", "area", "Gebiet";
    HeadValue "query.value": "value", "数值", "valore", "Wert";
    HeadContributors "query.contributors": "contributors", "贡献数", "contributi", "Beiträge";
    NotSet "query.not_set": "(not set)", "（未填）", "(non indicato)", "(nicht gesetzt)";
    RowsNotListed "query.unlisted": "{0}: {1} rows not listed, each {2}", "{0}：未列出 {1} 行，每行 {2}", "{0}: {1} righe non elencate, ciascuna {2}", "{0}: {1} nicht aufgeführte Zeilen, jede {2}";
    LabelTotal "query.total": "Total", "合计", "Totale", "Summe";
    NotExact "query.not_exact": "; {0} of {1} not told exactly", "；{1} 项中 {0} 项不精确", "; {0} di {1} non esatti", "; {0} von {1} nicht genau";
    LabelOwnSources "query.own_sources": "Own sources", "自有来源", "Fonti proprie", "Eigene Quellen";
    LabelProtection "query.protection": "Protection", "保护", "Protezione", "Schutz";
    NoProtection "query.no_protection": "none: the own table as it is; it stays in this house", "无：自有表的原样；不出本单位", "nessuna: la tabella propria così com'è; resta in questa sede", "keiner: die eigene Tabelle, wie sie ist; sie bleibt im Haus";
    LabelDataOf "query.data_of": "Data of", "数据时间", "Dati del", "Daten vom";
    LabelCompleteness "query.completeness": "Completeness", "完整性", "Completezza", "Vollständigkeit";
    SomeOf "query.some_of": "{0} of {1}", "{1} 之 {0}", "{0} di {1}", "{0} von {1}";
    Itself "query.itself": "itself", "自身", "se stessa", "selbst";
    LabelEdition "query.edition": "Edition", "版次", "Edizione", "Ausgabe";
    LabelAdopted "query.adopted": "Adopted", "采用", "Adottato", "Übernommen";
    WouldBeSent "query.would_be_sent": "no: this is what would be sent; `reeve policy adopt` consents", "否：这是将会发送的内容；用 `reeve policy adopt` 同意", "no: questo è ciò che sarebbe inviato; `reeve policy adopt` acconsente", "nein: dies würde gesendet; `reeve policy adopt` stimmt zu";
    NoneIsSent "query.none_is_sent": "none is sent", "不发送", "nessuna è inviata", "keine wird gesendet";
    NoneSigned "query.none_signed": "none signed yet", "尚未签署", "nessuna ancora firmata", "noch keine unterzeichnet";
    ProtectedFor "query.protected_for": "{0}, protected for {1}", "{0}，为{1}保护", "{0}, protetta per {1}", "{0}, geschützt für {1}";
    BecauseOf "query.because": "{0} ({1})", "{0}（{1}）", "{0} ({1})", "{0} ({1})";
    LabelIssuedAt "query.issued_at": "Issued at", "签发时间", "Emessa il", "Ausgestellt";
    LabelOwnRows "query.own_rows": "Own rows", "自有行", "Righe proprie", "Eigene Zeilen";
    OwnRowsHidden "query.own_rows_hidden": "hidden here; `reeve query --own` shows them as they are", "此处隐去；`reeve query --own` 显示原样", "qui nascoste; `reeve query --own` le mostra come sono", "hier verdeckt; `reeve query --own` zeigt sie, wie sie sind";
    HeadReason "query.reason": "reason", "原因", "motivo", "Grund";
    HeadStatement "query.statement": "statement", "声明", "dichiarazione", "Erklärung";
    NoPeriodYet "query.no_period": "no period has a figure of this indicator yet", "该指标尚无任何期间的数据", "nessun periodo ha ancora un dato di questo indicatore", "noch kein Zeitraum hat eine Zahl dieses Indikators";

    // How the node fares.
    LabelUnit "status.unit": "Unit", "单位", "Unità", "Einheit";
    LabelNode "status.node": "Node", "节点", "Nodo", "Knoten";
    LabelTerm "status.term": "Term", "任期", "Mandato", "Amtszeit";
    DoesNotReport "status.no_term": "does not report", "不负责上报", "non comunica", "meldet nicht";
    LabelCertificate "status.certificate": "Certificate", "证书", "Certificato", "Zertifikat";
    LabelWriter "status.writer": "Writer", "写入者", "Scrittore", "Schreiber";
    LabelAuthority "status.authority": "Authority", "签发机构", "Autorità", "Behörde";
    LabelNotBelieved "status.not_believed": "NOT BELIEVED", "不被信任", "NON CREDUTO", "NICHT GEGLAUBT";
    LabelRefusedBy "status.refused_by": "REFUSED", "被拒绝", "RIFIUTATO", "ABGEWIESEN";
    RefusedByPeer "status.refused_by_peer": "by {0}: {1} ({2})", "由 {0} 拒绝：{1}（{2}）", "da {0}: {1} ({2})", "von {0}: {1} ({2})";
    LabelSources "status.sources": "Sources", "数据来源", "Fonti", "Quellen";
    SourceSilent "status.source_silent": "{0} ({1}): SILENT since {2}", "{0}（{1}）：自 {2} 起无消息", "{0} ({1}): TACE dal {2}", "{0} ({1}): STUMM seit {2}";
    SourceNeverHeard "status.source_never_heard": "{0} ({1}): SILENT, never heard of", "{0}（{1}）：从未有消息", "{0} ({1}): TACE, mai sentita", "{0} ({1}): STUMM, nie gehört";
    SourceAlive "status.source_alive": "{0} ({1}): alive, {2}", "{0}（{1}）：正常，{2}", "{0} ({1}): attiva, {2}", "{0} ({1}): lebt, {2}";
    SourceOwes "status.source_owes": "{0} ({1}): has not closed {2}", "{0}（{1}）：尚未关闭 {2}", "{0} ({1}): non ha chiuso {2}", "{0} ({1}): hat {2} nicht abgeschlossen";
    SourceClosed "status.source_closed": "{0} ({1}): last closed {2}", "{0}（{1}）：最近关闭 {2}", "{0} ({1}): ultimo giorno chiuso {2}", "{0} ({1}): zuletzt abgeschlossen {2}";
    SourceNothing "status.source_nothing": "{0} ({1}): has closed nothing yet", "{0}（{1}）：尚未关闭任何期间", "{0} ({1}): non ha ancora chiuso nulla", "{0} ({1}): hat noch nichts abgeschlossen";
    LabelTakenOver "status.taken_over": "DIFFERS", "不一致", "DIVERSO", "ABWEICHEND";
    OtherPolicy "status.other_policy": "another policy than that of the node that reported in term {0} ({1} there, {2} here): compare policy.cedar, and set the right one here with `reeve policy set`", "政策与第 {0} 任期上报节点的不同（彼处 {1}，此处 {2}）：请比较 policy.cedar，并用 `reeve policy set` 在此设定正确的政策", "una policy diversa da quella del nodo che comunicava nel mandato {0} (là {1}, qui {2}): confrontare policy.cedar, e mettere qui quella giusta con `reeve policy set`", "eine andere Richtlinie als die des Knotens, der in Amtszeit {0} meldete (dort {1}, hier {2}): policy.cedar vergleichen und hier mit `reeve policy set` die richtige setzen";
    OtherAdoption "status.other_adoption": "told by the node of term {0}, and not adopted here: {1}; compare accepted_legal_bases, or `reeve policy adopt`", "第 {0} 任期的节点曾上报而此处未采用：{1}；请比较 accepted_legal_bases，或用 `reeve policy adopt`", "comunicati dal nodo del mandato {0}, e qui non adottati: {1}; confrontare accepted_legal_bases, o `reeve policy adopt`", "vom Knoten der Amtszeit {0} gemeldet, hier nicht übernommen: {1}; accepted_legal_bases vergleichen, oder `reeve policy adopt`";
    OtherSources "status.other_sources": "{0}: the node of term {1} expected {2} sources, this one {3}; compare [source] in reeve.toml", "{0}：第 {1} 任期的节点要求 {2} 个来源，此处为 {3} 个；请比较 reeve.toml 的 [source]", "{0}: il nodo del mandato {1} attendeva {2} fonti, questo {3}; confrontare [source] in reeve.toml", "{0}: der Knoten der Amtszeit {1} erwartete {2} Quellen, dieser {3}; [source] in reeve.toml vergleichen";
    LabelSealed "status.sealed": "Sealed", "已封存", "Chiuso", "Versiegelt";
    SealedTold "status.sealed_told": "{0} before {1}: older records were removed, figures stand", "{0}，{1} 之前：较早的记录已清除，数据不变", "{0} prima del {1}: i dati più vecchi sono stati rimossi, i risultati restano", "{0} vor {1}: ältere Datensätze wurden entfernt, Zahlen bleiben";
    LabelListensAt "status.listens_at": "Listens at", "监听地址", "In ascolto", "Lauscht an";
    LabelCatalogue "status.catalogue": "Catalogue", "指标目录", "Catalogo", "Katalog";
    NoCatalogue "status.no_catalogue": "none", "无", "nessuno", "keiner";
    Version "status.version": "version {0}", "第 {0} 版", "versione {0}", "Version {0}";
    LabelNotAdopted "status.not_adopted": "Not adopted", "未采用", "Non adottati", "Nicht übernommen";
    NotAdoptedTold "status.not_adopted_told": "{0}; nothing of them is sent. `reeve policy adopted` shows them, `reeve policy adopt` consents", "{0}；均不发送。`reeve policy adopted` 列出它们，`reeve policy adopt` 表示同意", "{0}; nulla di essi è inviato. `reeve policy adopted` li mostra, `reeve policy adopt` acconsente", "{0}; nichts davon wird gesendet. `reeve policy adopted` zeigt sie, `reeve policy adopt` stimmt zu";
    LabelDeclared "status.declared": "Declared", "应急声明", "Dichiarata", "Erklärt";
    DeclaredTold "status.declared_told": "{0}: level {1} for {2}, by {3} from {4} until {5}: {6} ({7})", "{0}：{2} 为 {1} 级，由 {3} 宣布，自 {4} 至 {5}：{6}（{7}）", "{0}: livello {1} per {2}, da {3} dal {4} al {5}: {6} ({7})", "{0}: Stufe {1} für {2}, durch {3} von {4} bis {5}: {6} ({7})";
    PhaseInForce "phase.in_force": "in force", "生效中", "in vigore", "in Kraft";
    PhaseAhead "phase.ahead": "ahead", "尚未开始", "futura", "bevorstehend";
    PhaseOver "phase.over": "over", "已结束", "passata", "vorbei";
    PhaseEnded "phase.ended": "ended", "已终止", "terminata", "beendet";
    PhaseElsewhere "phase.elsewhere": "elsewhere", "在其他区域", "altrove", "anderswo";
    LabelFigures "status.figures": "Figures", "数据", "Dati", "Zahlen";
    FiguresKept "status.kept": "{0} kept", "保存 {0} 项", "{0} conservati", "{0} geführt";
    FiguresUnsent "status.unsent": "{0} not yet sent", "{0} 项尚未发送", "{0} non ancora inviati", "{0} noch nicht gesendet";
    LabelLedger "status.ledger": "Ledger", "台账", "Registro", "Hauptbuch";
    LedgerHead "status.ledger_head": "{0} entries, root {1}", "{0} 条，根 {1}", "{0} voci, radice {1}", "{0} Einträge, Wurzel {1}";
    LabelWitnessed "status.witnessed": "Witnessed", "见证", "Testimoniato", "Bezeugt";
    WitnessedTold "status.witnessed_told": "{0} entries, by {1} at {2}", "{0} 条，由 {1} 于 {2} 见证", "{0} voci, da {1} il {2}", "{0} Einträge, durch {1} am {2}";
    NotWitnessed "status.not_witnessed": "nobody has cosigned it yet", "尚无人联署", "nessuno l'ha ancora controfirmato", "noch niemand hat es gegengezeichnet";
    LabelEquivocation "status.equivocation": "TWO LEDGERS", "两本台账", "DUE REGISTRI", "ZWEI HAUPTBÜCHER";
    EquivocationTold "status.equivocation_told": "{0} has signed two ledgers in term {1}; found {2}. Nothing it signs in that term is taken any more; `reeve ledger equivocations -o FOLDER` writes the proof", "{0} 在第 {1} 任期内签署了两本台账；发现于 {2}。其在该任期签署的内容不再被接受；`reeve ledger equivocations -o FOLDER` 可写出证据", "{0} ha firmato due registri nel mandato {1}; scoperto il {2}. Nulla di ciò che firma in quel mandato è più accettato; `reeve ledger equivocations -o FOLDER` ne scrive la prova", "{0} hat in der Amtszeit {1} zwei Hauptbücher unterzeichnet; gefunden {2}. Was sie in dieser Amtszeit unterzeichnet, wird nicht mehr angenommen; `reeve ledger equivocations -o FOLDER` schreibt den Beweis";
    StoppedOldCopy "status.stopped_copy": "STOPPED: the superior holds {0} entries of this ledger. This store is an older copy: put back the newest one, or, if there is none, begin a new term with `reeve certificate renew --new-term`; until then no figure is signed", "已停止：上级持有此台账的 {0} 条。本存储是旧副本：请放回最新的副本；若没有，请用 `reeve certificate renew --new-term` 开始新任期；在此之前不签署任何数据", "FERMO: il superiore ha {0} voci di questo registro. Questo archivio è una copia più vecchia: rimettere la più recente o, se non c'è, iniziare un nuovo mandato con `reeve certificate renew --new-term`; fino ad allora nessun dato è firmato", "GESTOPPT: die übergeordnete Stelle hat {0} Einträge dieses Hauptbuchs. Dieser Speicher ist eine ältere Kopie: die neueste zurücklegen oder, wenn es keine gibt, mit `reeve certificate renew --new-term` eine neue Amtszeit beginnen; bis dahin wird keine Zahl unterzeichnet";
    LabelClock "status.clock": "Clock", "时钟", "Orologio", "Uhr";
    StoppedClock "status.stopped_clock": "STOPPED: this machine's clock is {0} s behind what was signed last. Set it; until it is right no figure is signed", "已停止：本机时钟比上次签署落后 {0} 秒。请校正；校正前不签署任何数据", "FERMO: l'orologio di questa macchina è indietro di {0} s rispetto all'ultima firma. Regolarlo; fino ad allora nessun dato è firmato", "GESTOPPT: die Uhr dieser Maschine geht {0} s hinter der letzten Unterschrift nach. Stellen; bis dahin wird keine Zahl unterzeichnet";
    StoppedTerm "status.stopped_term": "STOPPED: the unit reports under term {0} by now, from another node or store", "已停止：该单位现由另一节点或存储在第 {0} 任期下上报", "FERMO: l'unità comunica ormai nel mandato {0}, da un altro nodo o archivio", "GESTOPPT: die Einheit meldet inzwischen unter Amtszeit {0}, von einem anderen Knoten oder Speicher";
    StoppedRestored "status.stopped_restored": "STOPPED: this store was restored from the backup of {0}, and what was said after it is not in it. Begin a new term with `reeve certificate renew --new-term`; until then no figure is signed", "已停止：本存储由 {0} 的备份恢复，其后的声明不在其中。请用 `reeve certificate renew --new-term` 开始新任期；在此之前不签署任何数据", "FERMO: questo archivio è stato ripristinato dal backup del {0}, e quanto detto dopo non vi è. Iniziare un nuovo mandato con `reeve certificate renew --new-term`; fino ad allora nessun dato è firmato", "GESTOPPT: dieser Speicher wurde aus der Sicherung vom {0} wiederhergestellt, und was danach gesagt wurde, fehlt darin. Mit `reeve certificate renew --new-term` eine neue Amtszeit beginnen; bis dahin wird keine Zahl unterzeichnet";
    NeedsLetter "status.needs_letter": "no line to the superior: no figure is signed before its answer to a letter of this node is taken (`reeve report export`, `reeve report import`)", "与上级之间没有线路：在收到上级对本节点信件的答复之前不签署任何数据（`reeve report export`、`reeve report import`）", "nessuna linea con il superiore: nessun dato è firmato prima che sia presa la sua risposta a una lettera di questo nodo (`reeve report export`, `reeve report import`)", "keine Leitung zur übergeordneten Stelle: keine Zahl wird unterschrieben, bevor ihre Antwort auf einen Brief dieses Knotens übernommen ist (`reeve report export`, `reeve report import`)";
    FollowingHome "status.following_home": "this node reports after a restoration or in another node's place: what the home's other nodes hold is fetched before a figure is signed; one that does not answer is waited for a minute", "本节点在恢复后或代替另一节点上报：签署数据前先取回本单位其他节点持有的内容；对不应答的节点等待一分钟", "questo nodo comunica dopo un ripristino o al posto di un altro: quanto hanno gli altri nodi della sede è recuperato prima di firmare un dato; chi non risponde è atteso per un minuto", "dieser Knoten meldet nach einer Wiederherstellung oder anstelle eines anderen: vor der nächsten Unterschrift wird geholt, was die anderen Knoten des Hauses haben; auf einen, der nicht antwortet, wird eine Minute gewartet";
    AuthorityHandedOn "status.authority_handed_on": "{0} has another key, {1}, signed by the one before; noticed {2}", "{0} 已换用密钥 {1}，由先前的密钥签署；发现于 {2}", "{0} ha un'altra chiave, {1}, firmata dalla precedente; notato {2}", "{0} hat einen anderen Schlüssel, {1}, vom vorigen unterschrieben; bemerkt {2}";
    AuthorityReplaced "status.authority_replaced": "the key of {0} was REPLACED by its superior ({3}) with {1}; noticed {2}. Compare it over another channel", "{0} 的密钥已被其上级更换（{3}）为 {1}；发现于 {2}。请通过其他渠道核对", "la chiave di {0} è stata SOSTITUITA dal superiore ({3}) con {1}; notato {2}. Confrontarla per un altro canale", "der Schlüssel von {0} wurde von der übergeordneten Stelle ERSETZT ({3}) durch {1}; bemerkt {2}. Auf anderem Weg vergleichen";
    PastLedger "status.past_ledger": "{0} entries of term {1} (`reeve sent --term {1}`)", "第 {1} 任期 {0} 条（`reeve sent --term {1}`）", "{0} voci del mandato {1} (`reeve sent --term {1}`)", "{0} Einträge der Amtszeit {1} (`reeve sent --term {1}`)";
    LabelWaiting "status.waiting": "Waiting", "等待", "In attesa", "Wartend";
    WaitingWork "status.waiting_work": "{0} requests to write, {1} writes not durable yet", "{0} 个写入请求，{1} 个写入尚未落盘", "{0} richieste di scrittura, {1} scritture non ancora durevoli", "{0} Schreibaufträge, {1} noch nicht dauerhaft geschrieben";
    LabelStorage "status.storage": "Storage", "存储", "Archivio", "Speicher";
    SizeUnknown "status.size_unknown": "size not known", "大小未知", "dimensione non nota", "Größe nicht bekannt";
    NoSpace "status.no_space": "NO SPACE: its disk is full, or nearly. Records and reports are refused, what is there can be read; free space, and it goes on by itself", "空间不足：磁盘已满或将满。拒绝记录和报告，已有内容可读；释放空间后自动恢复", "SPAZIO ESAURITO: il disco è pieno, o quasi. Record e comunicazioni sono rifiutati, ciò che c'è si può leggere; liberare spazio, e riprende da solo", "KEIN PLATZ: die Platte ist voll oder fast. Datensätze und Meldungen werden abgewiesen, Vorhandenes ist lesbar; Platz schaffen, dann geht es von selbst weiter";
    LabelFork "status.fork": "Fork", "分叉", "Biforcazione", "Verzweigung";
    ForkTold "status.fork_told": "writer {0} signed two changes {1} of {2} and is cut off there; revoke it", "写入者 {0} 对 {2} 的第 {1} 项变更签署了两次，已被切断；请吊销", "lo scrittore {0} ha firmato due modifiche {1} di {2} ed è escluso da lì; revocarlo", "Schreiber {0} unterzeichnete zwei Änderungen {1} von {2} und ist dort abgeschnitten; widerrufen";
    LabelInterrupted "status.interrupted": "Interrupted", "中断", "Interrotto", "Unterbrochen";
    InterruptedTold "status.interrupted_told": "import {0} of {1}; import the file again", "导入 {0}（{1}）；请重新导入该文件", "importazione {0} del {1}; importare di nuovo il file", "Import {0} vom {1}; die Datei erneut importieren";
    LabelRefused "status.refused": "Refused", "被拒数据", "Rifiutato", "Abgewiesen";
    HeadPeer "status.peer": "peer", "对方", "nodo", "Gegenstelle";
    HeadStandsAs "status.stands_as": "stands as", "关系", "ruolo", "steht als";
    HeadConnected "status.connected": "connected", "已连接", "collegato", "verbunden";
    HeadCertificateEnds "status.certificate_ends": "certificate ends", "证书到期", "fine certificato", "Zertifikat endet";
    HeadClock "status.clock_offset": "clock", "时钟", "orologio", "Uhr";
    HeadUnit "status.head_unit": "unit", "单位", "unità", "Einheit";
    HeadLastHeard "status.last_heard": "last heard", "最近消息", "ultimo contatto", "zuletzt gehört";
    HeadBehind "status.behind": "behind with", "欠报", "in arretrato con", "im Rückstand mit";
    Expired "status.expired": "expired {0}; run {1}", "已于 {0} 过期；请运行 {1}", "scaduto il {0}; eseguire {1}", "abgelaufen {0}; {1} ausführen";
    EndsSoon "status.ends_soon": "ends in {0} days; run {1}", "还有 {0} 天到期；请运行 {1}", "finisce tra {0} giorni; eseguire {1}", "endet in {0} Tagen; {1} ausführen";
    RenewAuthority "status.renew_authority": "`reeve certificate renew UNIT` at the superior (for the first unit with `--root-key`)", "`reeve certificate renew UNIT`（在上级处执行；首个单位加 `--root-key`）", "`reeve certificate renew UNIT` presso il superiore (per la prima unità con `--root-key`)", "`reeve certificate renew UNIT` bei der übergeordneten Stelle (für die erste Einheit mit `--root-key`)";
    Until "status.until": "until {0}", "至 {0}", "fino al {0}", "bis {0}";

    // Why a command failed.
    Error "error": "error:", "错误：", "errore:", "Fehler:";
    ErrorUnreachable "error.unreachable": "no node answers at {0} ({1}); start it with `reeve run`, or use --api", "{0} 处没有节点应答（{1}）；请用 `reeve run` 启动，或使用 --api", "nessun nodo risponde a {0} ({1}); avviarlo con `reeve run`, o usare --api", "unter {0} antwortet kein Knoten ({1}); mit `reeve run` starten oder --api benutzen";
    DecidedBy "error.decided_by": "(decided by {0})", "（由 {0} 决定）", "(deciso da {0})", "(entschieden durch {0})";
    ProblemNoToken "problem.no_token": "A token is needed", "需要令牌", "Serve un token", "Ein Token wird gebraucht";
    ProblemOtherHost "problem.other_host": "Not this host", "不是本主机", "Non è questo host", "Nicht dieser Rechner";
    ProblemForeignOrigin "problem.foreign_origin": "A page of another site asks", "来自其他网站的请求", "Chiede una pagina di un altro sito", "Eine Seite einer anderen Website fragt";
    ProblemNoRoute "problem.no_route": "No such route", "没有此路径", "Percorso inesistente", "Keine solche Route";
    ProblemNoMethod "problem.no_method": "The route has other methods", "此路径不支持该方法", "Il percorso ha altri metodi", "Die Route hat andere Methoden";
    ProblemDeclined "problem.declined": "Declined by policy", "政策拒绝", "Rifiutato dalla policy", "Von der Richtlinie abgelehnt";
    ProblemNotFound "problem.not_found": "Not here", "此处没有", "Non c'è", "Nicht hier";
    ProblemTooLong "problem.too_long": "The body is too long", "内容过长", "Il contenuto è troppo lungo", "Der Inhalt ist zu lang";
    ProblemBodyLost "problem.body_lost": "The body did not come in time", "内容未及时到达", "Il contenuto non è arrivato in tempo", "Der Inhalt kam nicht rechtzeitig";
    ProblemMalformed "problem.malformed": "The request does not make sense", "请求没有意义", "La richiesta non ha senso", "Die Anfrage ergibt keinen Sinn";
    ProblemMediaType "problem.media_type": "Another media type is needed", "需要其他媒体类型", "Serve un altro tipo di contenuto", "Ein anderer Medientyp wird gebraucht";
    ProblemFields "problem.fields": "Fields of records are wrong", "记录字段有误", "Campi di record errati", "Felder von Datensätzen sind falsch";
    ProblemTokensUnreadable "problem.tokens_unreadable": "No token can be checked", "无法核验令牌", "Nessun token si può verificare", "Kein Token kann geprüft werden";
    ProblemNoInvite "problem.no_invite": "The invite was not made", "未生成邀请", "L'invito non è stato fatto", "Die Einladung wurde nicht gemacht";
    ProblemNoImage "problem.no_image": "No image of the store is taken", "未生成存储映像", "Nessuna immagine dell'archivio è stata fatta", "Es wird kein Abbild des Speichers gemacht";
    ProblemNoEnrolment "problem.no_enrolment": "Nobody can join through this node", "无法通过本节点加入", "Nessuno può aderire tramite questo nodo", "Über diesen Knoten kann niemand beitreten";
    ProblemNotKept "problem.not_kept": "In force, but not kept", "已生效但未保存", "In vigore, ma non conservato", "In Kraft, aber nicht aufbewahrt";
    ProblemNotWaiting "problem.not_waiting": "Not done, and it does not wait for a second person", "未执行，也未等待第二人确认", "Non fatto, e non attende una seconda persona", "Nicht getan, und es wartet nicht auf eine zweite Person";
    ProblemBusy "problem.busy": "Too much at once, or no answer in time", "请求过多或未及时应答", "Troppo in una volta, o nessuna risposta in tempo", "Zu viel auf einmal, oder keine rechtzeitige Antwort";
    ProblemInternal "problem.internal": "A mistake of this program", "本程序的错误", "Un errore di questo programma", "Ein Fehler dieses Programms";
    ProblemStopping "problem.stopping": "The node is stopping", "节点正在停止", "Il nodo si sta fermando", "Der Knoten hält an";
    ProblemNoSuperior "problem.no_superior": "The superior does not answer", "上级单位没有应答", "L'unità superiore non risponde", "Die übergeordnete Einheit antwortet nicht";
    ProblemNoTwin "problem.no_twin": "This node keeps no records", "本节点不保存记录", "Questo nodo non tiene record", "Dieser Knoten führt keine Datensätze";
    ProblemNoWriter "problem.no_writer": "This node may not write", "本节点不得写入", "Questo nodo non può scrivere", "Dieser Knoten darf nicht schreiben";
    ProblemRegister "problem.register": "The register stays as it is", "名册未作更改", "Il registro resta com'è", "Das Verzeichnis bleibt, wie es ist";
    ProblemNotReporting "problem.not_reporting": "Another node keeps the register", "名册由另一节点保管", "Un altro nodo tiene il registro delle unità", "Ein anderer Knoten führt das Verzeichnis";
    ProblemNoBulletin "problem.no_bulletin": "Not a bulletin", "不是公报", "Non è un bollettino", "Kein Bulletin";
    ProblemNotPublished "problem.not_published": "No bulletin was published", "未发布公报", "Nessun bollettino pubblicato", "Kein Bulletin veröffentlicht";
    ProblemExists "problem.exists": "Here already with other content", "已存在且内容不同", "C'è già, con altro contenuto", "Schon da, mit anderem Inhalt";
    ProblemSealed "problem.sealed": "The records of that time are gone", "该时段的记录已删除", "I dati di quel periodo non ci sono più", "Die Datensätze dieser Zeit sind entfernt";
    ProblemAhead "problem.ahead": "That day has not come", "该日期尚未到来", "Quel giorno non è ancora arrivato", "Dieser Tag ist noch nicht gekommen";
    ProblemNoRetention "problem.no_retention": "Nothing says what is too old", "未规定保存期限", "Nulla dice che cosa è troppo vecchio", "Nichts sagt, was zu alt ist";
    ProblemNotSealing "problem.not_sealing": "Another node removes records", "记录由另一节点删除", "I dati li rimuove un altro nodo", "Ein anderer Knoten entfernt Datensätze";
    ProblemNoSpace "problem.no_space": "The disk is full", "磁盘已满", "Il disco è pieno", "Die Platte ist voll";
    ProblemRebuilding "problem.rebuilding": "Not yet", "尚未就绪", "Non ancora", "Noch nicht";
    ProblemOwnTable "problem.own_table": "Not computed", "未能计算", "Non calcolato", "Nicht berechnet";
    ProblemNotWritten "problem.not_written": "Not written", "未写入", "Non scritto", "Nicht geschrieben";
    ProblemOlder "problem.older": "Something newer is held already", "已有更新的内容", "C'è già qualcosa di più recente", "Etwas Neueres liegt schon vor";
    ProblemOtherDefinition "problem.other_definition": "Changed meanwhile", "期间已变更", "Cambiato nel frattempo", "Inzwischen geändert";
    ProblemLegalBasis "problem.legal_basis": "Not a legal basis", "不是法律依据", "Non è una base giuridica", "Keine Rechtsgrundlage";
    ProblemRefused "problem.refused": "Refused", "被拒绝", "Rifiutato", "Abgewiesen";
    ProblemTooMany "problem.too_many": "Too many at once", "一次过多", "Troppi in una volta", "Zu viele auf einmal";
    ProblemDamaged "problem.damaged": "The store is damaged", "存储已损坏", "L'archivio è danneggiato", "Der Speicher ist beschädigt";
    DeclinedNotPermitted "declined.not_permitted": "no policy permits it", "没有政策允许", "nessuna policy lo permette", "keine Richtlinie erlaubt es";
    DeclinedForbidden "declined.forbidden": "a policy forbids it", "有政策禁止", "una policy lo vieta", "eine Richtlinie verbietet es";

    // Consent.
    AdoptedTold "adopt.adopted": "Adopted: {0}.", "已采用：{0}。", "Adottati: {0}.", "Übernommen: {0}.";
    WithdrawnTold "adopt.withdrawn": "Withdrawn: {0}.", "已撤回同意：{0}。", "Consenso ritirato: {0}.", "Zustimmung zurückgezogen: {0}.";
    AdoptedBasis "adopt.adopted_basis": "Adopted: every indicator whose legal basis is {0}.", "已采用：法律依据为 {0} 的所有指标。", "Adottati: tutti gli indicatori con base giuridica {0}.", "Übernommen: jeder Indikator mit der Rechtsgrundlage {0}.";
    WithdrawnBasis "adopt.withdrawn_basis": "Withdrawn: every indicator whose legal basis is {0}.", "已撤回同意：法律依据为 {0} 的所有指标。", "Consenso ritirato: tutti gli indicatori con base giuridica {0}.", "Zustimmung zurückgezogen: jeder Indikator mit der Rechtsgrundlage {0}.";
    SecondPerson "adopt.second_person": "Not done yet. Until {0} it waits for a second person with another token, who looks at the same and says the same: {1}", "尚未执行。在 {0} 之前，等待持另一令牌的第二人查看同一内容并作出相同指示：{1}", "Non ancora fatto. Fino al {0} attende una seconda persona con un altro token, che guardi la stessa cosa e dica lo stesso: {1}", "Noch nicht geschehen. Bis {0} wartet es auf eine zweite Person mit einem anderen Token, die dasselbe ansieht und dasselbe sagt: {1}";
    EverythingAdopted "adopt.everything": "Everything that the catalogue proposes is adopted.", "目录所提议的全部指标均已采用。", "Tutto ciò che il catalogo propone è adottato.", "Alles, was der Katalog vorschlägt, ist übernommen.";
    NothingProposed "adopt.nothing_proposed": "No catalogue proposes anything.", "没有目录提议任何指标。", "Nessun catalogo propone qualcosa.", "Kein Katalog schlägt etwas vor.";
    HeadIndicator "adopt.head_indicator": "indicator", "指标", "indicatore", "Indikator";
    HeadAdopted "adopt.head_adopted": "adopted", "采用", "adottato", "übernommen";
    HeadFloor "adopt.head_floor": "floor up", "上报下限", "soglia in su", "Schwelle nach oben";
    HeadDefinition "adopt.head_definition": "definition", "定义", "definizione", "Definition";
    HeadLegalBasis "adopt.head_legal_basis": "legal basis", "法律依据", "base giuridica", "Rechtsgrundlage";
    HeadTitle "adopt.head_title": "title", "名称", "titolo", "Titel";
    NotAdoptedCell "adopt.not_adopted": "NOT ADOPTED", "未采用", "NON ADOTTATO", "NICHT ÜBERNOMMEN";
    WithdrawnBy "adopt.withdrawn_by": "WITHDRAWN by {0} on {1}", "{0} 于 {1} 撤回", "RITIRATO da {0} il {1}", "ZURÜCKGEZOGEN von {0} am {1}";
    AdoptedBy "adopt.adopted_by": "by {0} on {1}", "{0} 于 {1}", "da {0} il {1}", "von {0} am {1}";
    AdoptedThrough "adopt.adopted_through": "{0}, by {1}", "{0}，{1}", "{0}, da {1}", "{0}, von {1}";
    ByAct "adopt.by_act": "act", "决定", "atto", "Akt";
    ByLegalBasis "adopt.by_legal_basis": "legal basis", "法律依据", "base giuridica", "Rechtsgrundlage";
    ByOwnCatalogue "adopt.by_own_catalogue": "own catalogue", "本单位目录", "catalogo proprio", "eigener Katalog";
    BySettings "adopt.by_settings": "settings", "设置", "impostazioni", "Einstellungen";
    FloorNever "adopt.never": "never", "从不", "mai", "nie";
    FloorExact "adopt.exact": "exact", "精确", "esatto", "genau";
    BasisAdopted "adopt.basis_adopted": "Everything under {0} is adopted: by {1} on {2}", "依据 {0} 的全部指标已采用：{1} 于 {2}", "Tutto ciò che si fonda su {0} è adottato: da {1} il {2}", "Alles nach {0} ist übernommen: von {1} am {2}";
    BasisWithdrawn "adopt.basis_withdrawn": "Everything under {0} is withdrawn: by {1} on {2}", "依据 {0} 的全部同意已撤回：{1} 于 {2}", "Tutto ciò che si fonda su {0} è ritirato: da {1} il {2}", "Alles nach {0} ist zurückgezogen: von {1} am {2}";
    PolicyChanged "adopt.policy_changed": "Policy set {0} in place of {1}: by {2} on {3}", "政策集 {0} 取代 {1}：{2} 于 {3}", "Insieme di policy {0} al posto di {1}: da {2} il {3}", "Richtliniensatz {0} anstelle von {1}: von {2} am {3}";
    PolicyFound "adopt.policy_found": "Policy set {0} in place of {1}: found on {2}, by nobody's token", "政策集 {0} 取代 {1}：{2} 启动或接任时发现，非经令牌更改", "Insieme di policy {0} al posto di {1}: trovato il {2}, senza token di nessuno", "Richtliniensatz {0} anstelle von {1}: vorgefunden am {2}, mit niemandes Token";

    // Declarations.
    DeclaredLevel "declare.declared": "{0} declares level {1} for {2} from {3} until {4}, and goes down.", "{0}：在 {2} 宣布 {1} 级，自 {3} 至 {4}，并向下传达。", "{0} dichiara il livello {1} per {2} dal {3} al {4}, e scende.", "{0} erklärt Stufe {1} für {2} von {3} bis {4} und geht nach unten.";
    DeclarationEnded "declare.ended": "{0} is ended; the end goes down.", "{0} 已结束；结束通知向下传达。", "{0} è terminata; la fine scende.", "{0} ist beendet; das Ende geht nach unten.";

    // Bulletins.
    BulletinPublished "bulletin.published": "Published: {0}. Statement {1}, entry {2} of the ledger.", "已发布：{0}。声明 {1}，台账第 {2} 条。", "Pubblicato: {0}. Dichiarazione {1}, voce {2} del registro.", "Veröffentlicht: {0}. Erklärung {1}, Eintrag {2} des Hauptbuchs.";
    BulletinNone "bulletin.none": "No bulletin was published here.", "此处未发布过公报。", "Qui non è stato pubblicato alcun bollettino.", "Hier wurde kein Bulletin veröffentlicht.";
    BulletinOf "bulletin.of": "As it stood on {0}, for {1}; published by {2}; statement {3}", "截至 {0} 的数据，面向{1}；由 {2} 发布；声明 {3}", "Come stava il {0}, per: {1}; pubblicato da {2}; dichiarazione {3}", "Stand {0}, für: {1}; veröffentlicht von {2}; Erklärung {3}";
    BulletinRevised "bulletin.revised": "Revised since: {0} of {1} figures.", "此后修订：{1} 项数据中的 {0} 项。", "Rivisti da allora: {0} dati su {1}.", "Seither revidiert: {0} von {1} Zahlen.";
    BulletinNow "bulletin.now": "REVISED: {0}, edition {1}", "已修订：{0}，第 {1} 版", "RIVISTO: {0}, edizione {1}", "REVIDIERT: {0}, Ausgabe {1}";
    BulletinSame "bulletin.same": "as published", "与发布时相同", "come pubblicato", "wie veröffentlicht";
    BulletinGone "bulletin.gone": "NO FIGURE ANY MORE: {0}", "已无数据：{0}", "NESSUN DATO PIÙ: {0}", "KEINE ZAHL MEHR: {0}";
    BulletinUnknown "bulletin.unknown": "not known here", "此处未知", "qui non noto", "hier nicht bekannt";
    HeadMoment "bulletin.moment": "published", "发布时间", "pubblicato", "veröffentlicht";
    HeadClass "bulletin.class": "for", "面向", "per", "für";
    HeadFigures "bulletin.figures": "figures", "数据项", "dati", "Zahlen";
    HeadBy "bulletin.by": "by", "发布者", "da", "von";
    HeadPeriod "bulletin.period": "period", "期间", "periodo", "Zeitraum";
    HeadEdition "bulletin.edition": "edition", "版次", "edizione", "Ausgabe";
    HeadNow "bulletin.head_now": "now", "现在", "ora", "jetzt";

    // Removing records.
    TwinErased "twin.erased": "One record of {0} was erased; nothing says whose it was", "已抹除一条 {0} 记录；没有任何内容说明其属于谁", "Un record di {0} è stato cancellato; nulla dice di chi era", "Ein Datensatz von {0} wurde gelöscht; nichts sagt, wessen er war";
    TwinWould "twin.would": "{0}: {1} records older than {2} would be removed, {3} kept", "{0}：将清除早于 {2} 的 {1} 条记录，保留 {3} 条", "{0}: sarebbero rimossi {1} record più vecchi del {2}, {3} restano", "{0}: {1} Datensätze älter als {2} würden entfernt, {3} bleiben";
    TwinRemoved "twin.removed": "{0}: {1} records older than {2} were removed, {3} kept; figures of periods that began before it stand", "{0}：已清除早于 {2} 的 {1} 条记录，保留 {3} 条；此前开始的期间的数据不变", "{0}: rimossi {1} record più vecchi del {2}, {3} restano; i dati dei periodi iniziati prima restano", "{0}: {1} Datensätze älter als {2} wurden entfernt, {3} bleiben; Zahlen von Zeiträumen, die davor begannen, bleiben stehen";

    // Reports.
    ReportNil "report.nil": "{0} has nothing of {1} to report for {2}.", "{0} 在 {2} 没有 {1} 需要上报。", "{0} non ha nulla di {1} da comunicare per {2}.", "{0} hat von {1} für {2} nichts zu melden.";
    ReportAlive "report.alive": "{0} is alive for {1}.", "{0} 的 {1} 数据源正常。", "{0} è attiva per {1}.", "{0} lebt für {1}.";
    ReportWithdraw "report.withdraw": "{0} takes back what it said of {1} for {2}.", "{0} 撤回其关于 {2} 的 {1} 的说法。", "{0} ritira quanto ha detto di {1} per {2}.", "{0} nimmt zurück, was es von {1} für {2} gesagt hat.";
    ReportClosed "report.closed": "Closed for {0}: {1}", "{0} 已关闭：{1}", "Chiuso per {0}: {1}", "Für {0} abgeschlossen: {1}";
    ReportExported "report.exported": "{0} letters for {1} are in {2} ({3} bytes). Carry it there, and bring the answer back.", "致 {1} 的 {0} 封信件在 {2} 中（{3} 字节）。请送达，并带回答复。", "{0} lettere per {1} sono in {2} ({3} byte). Portarlo là, e riportare la risposta.", "{0} Briefe für {1} sind in {2} ({3} Bytes). Dorthin bringen und die Antwort zurückbringen.";
    ReportImported "report.imported": "{0} letters from {1}: {2} messages taken, {3} older than what is here", "来自 {1} 的 {0} 封信件：接收 {2} 条消息，{3} 条比现有内容旧", "{0} lettere da {1}: {2} messaggi presi, {3} più vecchi di quanto c'è", "{0} Briefe von {1}: {2} Nachrichten übernommen, {3} älter als Vorhandenes";
    HeadRefused "report.head_refused": "refused", "拒绝数", "rifiutati", "abgewiesen";
    HeadCode "report.head_code": "code", "代码", "codice", "Code";
    HeadWhy "report.head_why": "why", "原因", "perché", "warum";
    MessagesRefused "report.messages_refused": "{0} messages were refused", "{0} 条消息被拒绝", "{0} messaggi sono stati rifiutati", "{0} Nachrichten wurden abgewiesen";

    // The register.
    RegisterEmpty "register.empty": "No unit reports to this one; `reeve invite` lets one join.", "没有单位向本单位上报；用 `reeve invite` 邀请加入。", "Nessuna unità comunica a questa; `reeve invite` ne fa entrare una.", "Keine Einheit meldet an diese; `reeve invite` lässt eine beitreten.";
    HeadNames "register.names": "names", "名称", "nomi", "Namen";
    HeadPopulation "register.population": "population", "人口", "popolazione", "Bevölkerung";
    HeadOf "register.of": "of", "来源", "del", "von";
    HeadFrom "register.from": "from", "自", "dal", "ab";
    HeadUntil "register.until": "until", "至", "al", "bis";
    HeadWorks "register.works": "works", "工作日", "lavora", "arbeitet";
    HeadContinues "register.continues": "continues", "承接", "continua", "setzt fort";
    HeadMoved "register.moved": "moved", "迁移", "spostata", "gewechselt";
    PopulationNotKnown "register.not_known": "unknown", "未知", "non nota", "unbekannt";
    PopulationMissing "register.population_missing": "Population unknown of {0} units.", "{0} 个单位的人口未知。", "Popolazione non nota di {0} unità.", "Bevölkerung von {0} Einheiten unbekannt.";
    MovedFrom "register.moved_from": "from {0}", "来自 {0}", "da {0}", "von {0}";
    MovedTo "register.moved_to": "to {0}", "迁往 {0}", "a {0}", "zu {0}";
    WorksHolidays "register.holidays": "{0}; {1} holidays", "{0}；{1} 个假日", "{0}; {1} festività", "{0}; {1} Feiertage";
    RegisterSays "register.says": "The register says so of {0} now.", "名册现已就 {0} 如此记载。", "Ora il registro lo dice di {0}.", "Das Verzeichnis sagt es jetzt von {0}.";
    AllUnits "register.all_units": "all units", "所有单位", "tutte le unità", "allen Einheiten";
    RegisterStatement "register.statement": "The register says so: statement {0}. {1}", "名册已如此记载：声明 {0}。{1}", "Il registro lo dice: dichiarazione {0}. {1}", "Das Verzeichnis sagt es: Erklärung {0}. {1}";
    RegisterJoins "register.joins": "{0} joins with `reeve invite`, if it is new.", "若为新单位，{0} 通过 `reeve invite` 加入。", "{0} entra con `reeve invite`, se è nuova.", "{0} tritt mit `reeve invite` bei, falls neu.";
    RegisterAllJoin "register.all_join": "The new units join with `reeve invite`.", "新单位通过 `reeve invite` 加入。", "Le nuove unità entrano con `reeve invite`.", "Die neuen Einheiten treten mit `reeve invite` bei.";
    RegisterRenamed "register.renamed": "Its certificates do not name it so, and stay.", "其证书不含名称，保持不变。", "I suoi certificati non la nominano così, e restano.", "Ihre Zertifikate nennen sie nicht so und bleiben.";
    RegisterEnded "register.ended": "Figures of later periods say that it left the register.", "之后期间的数据会说明它已退出名册。", "I dati dei periodi successivi dicono che è uscita dal registro.", "Zahlen späterer Zeiträume sagen, dass sie nicht mehr im Verzeichnis steht.";
    RegisterReopened "register.reopened": "It is expected as before.", "与此前一样要求其上报。", "È attesa come prima.", "Sie wird erwartet wie zuvor.";
    RegisterReceived "register.received": "It joins with `reeve invite`, in the folder that it has.", "它用原有文件夹通过 `reeve invite` 加入。", "Entra con `reeve invite`, nella cartella che ha.", "Sie tritt mit `reeve invite` bei, in dem Ordner, den sie hat.";
    RegisterLetGo "register.let_go": "{0} is expected here for periods that end before {1}, and no longer for later ones. Carry {2} to {3}, where `reeve register receive {0} FILE` takes it and `reeve invite {0}` lets it join.", "{0} 仅就 {1} 之前结束的期间在此上报，之后不再。请将 {2} 送至 {3}：在那里用 `reeve register receive {0} FILE` 接收，并用 `reeve invite {0}` 让其加入。", "{0} è attesa qui per i periodi che finiscono prima del {1}, e non più per i successivi. Portare {2} a {3}, dove `reeve register receive {0} FILE` la prende e `reeve invite {0}` la fa entrare.", "{0} wird hier für Zeiträume erwartet, die vor {1} enden, und für spätere nicht mehr. {2} zu {3} bringen: dort übernimmt `reeve register receive {0} FILE` sie, und `reeve invite {0}` lässt sie beitreten.";

    // Whether a store is whole.
    VerifyStore "verify.store": "Store", "存储", "Archivio", "Speicher";
    VerifyRows "verify.rows": "Rows", "行", "Righe", "Zeilen";
    VerifyLedger "verify.ledger": "Ledger", "台账", "Registro", "Hauptbuch";
    VerifyDamage "verify.damage": "Damage", "损坏", "Danno", "Schaden";
    VerifyToDo "verify.to_do": "To do", "须做", "Da fare", "Zu tun";
    VerifyCommit "verify.commit": "{0}, commit {1}", "{0}，提交 {1}", "{0}, commit {1}", "{0}, Commit {1}";
    VerifyClosed "verify.closed": "{0}, closed in good order", "{0}，正常关闭", "{0}, chiuso in ordine", "{0}, ordentlich geschlossen";
    VerifyNotClosed "verify.not_closed": "{0}, not closed in good order", "{0}，未正常关闭", "{0}, non chiuso in ordine", "{0}, nicht ordentlich geschlossen";
    VerifyAsWritten "verify.as_written": "{0} as written ({1} bytes)", "{0} 行与写入时一致（{1} 字节）", "{0} come scritte ({1} byte)", "{0} wie geschrieben ({1} Bytes)";
    VerifyEntries "verify.entries": "{0} entries, root {1}", "{0} 条，根 {1}", "{0} voci, radice {1}", "{0} Einträge, Wurzel {1}";
    VerifyEarlier "verify.earlier": "{0}; {1} of earlier terms", "{0}；另有以前任期的 {1} 本", "{0}; {1} di mandati precedenti", "{0}; {1} aus früheren Amtszeiten";
    VerifyNotWhole "verify.not_whole": "not whole", "不完整", "non integro", "nicht ganz";
    VerifyUnknown "verify.unknown": "unknown", "未知", "ignoto", "unbekannt";
    VerifySound "verify.sound": "Checksums, anchor, head file and ledger agree. The store is whole.", "校验和、锚、头文件与台账一致。存储完整。", "Somme di controllo, ancora, file di testa e registro concordano. L'archivio è integro.", "Prüfsummen, Anker, Kopfdatei und Hauptbuch stimmen überein. Der Speicher ist ganz.";
    VerifyNewest "verify.newest": "Whether it is the newest copy, the superior knows: if it is not, the node signs nothing, and `reeve status` says STOPPED.", "它是否为最新副本由上级知晓：若不是，节点不签署任何内容，`reeve status` 会显示已停止。", "Se è la copia più recente lo sa il superiore: se non lo è, il nodo non firma nulla, e `reeve status` dice FERMO.", "Ob es die neueste Kopie ist, weiß die übergeordnete Stelle: wenn nicht, unterzeichnet der Knoten nichts, und `reeve status` sagt ANGEHALTEN.";
    VerifyRestore "verify.restore": "keep this folder as it is, and make the node anew: a further node of the home brings the records back, the superior has every statement it accepted; or restore the newest backup with `reeve restore` (docs/operate.md, A damaged store)", "保持此文件夹原样，重新建立节点：本单位的另一节点会带回记录，上级持有其接受的每份声明；或用 `reeve restore` 恢复最新备份（docs/operate.md, A damaged store）", "lasciare questa cartella com'è e rifare il nodo: un altro nodo della sede riporta i record, il superiore ha ogni dichiarazione accettata; oppure ripristinare l'ultimo backup con `reeve restore` (docs/operate.md, A damaged store)", "diesen Ordner lassen, wie er ist, und den Knoten neu anlegen: ein weiterer Knoten des Hauses bringt die Datensätze zurück, die übergeordnete Stelle hat jede angenommene Erklärung; oder mit `reeve restore` die neueste Sicherung einspielen (docs/operate.md, A damaged store)";
    VerifyRecords "verify.records": "if the home has another node, make this one anew and let it replicate; else restore the newest backup with `reeve restore`, and import again what came later (docs/operate.md, A damaged store)", "若本单位有另一节点，请重建此节点并让其复制；否则用 `reeve restore` 恢复最新备份，并重新导入之后的数据（docs/operate.md, A damaged store）", "se la sede ha un altro nodo, rifare questo e lasciarlo replicare; altrimenti ripristinare l'ultimo backup con `reeve restore` e reimportare ciò che è venuto dopo (docs/operate.md, A damaged store)", "hat das Haus einen weiteren Knoten, diesen neu anlegen und nachziehen lassen; sonst mit `reeve restore` die neueste Sicherung einspielen und Späteres neu einlesen (docs/operate.md, A damaged store)";
    VerifyOlder "verify.older": "this is an older copy, or a mixture of two: put back the newest copy of the whole folder, in one piece; what was said after the older one was made would be said twice otherwise (docs/operate.md, A damaged store)", "这是较旧的副本，或两份副本的混合：请整体放回整个文件夹的最新副本；否则旧副本之后说过的话会被重复（docs/operate.md, A damaged store）", "questa è una copia più vecchia, o un misto di due: rimettere la copia più recente dell'intera cartella, in un pezzo; altrimenti ciò che fu detto dopo sarebbe detto due volte (docs/operate.md, A damaged store)", "dies ist eine ältere Kopie oder ein Gemisch aus zweien: die neueste Kopie des ganzen Ordners in einem Stück zurücklegen; sonst würde zweimal gesagt, was nach der älteren gesagt wurde (docs/operate.md, A damaged store)";
    VerifyOther "verify.other": "nothing is damaged: do what the message says", "没有损坏：请按消息所述操作", "nulla è danneggiato: fare ciò che dice il messaggio", "nichts ist beschädigt: tun, was die Meldung sagt";
    VerifySystem "verify.system": "mend that, then verify again", "请先排除该问题，然后再次核验", "rimediare, poi verificare di nuovo", "das beheben, dann erneut prüfen";
    VerifyHead "verify.head": "compare what the superior has of this unit with the ledger's size; then start the node, which makes the file again", "将上级所持的本单位内容与台账大小比较；然后启动节点，它会重新生成该文件", "confrontare ciò che il superiore ha di questa unità con la dimensione del registro; poi avviare il nodo, che rifà il file", "vergleichen, was die übergeordnete Stelle von dieser Einheit hat, mit der Größe des Hauptbuchs; dann den Knoten starten, der die Datei neu anlegt";
    VerifyFound "verify.found": "the store is damaged ({0} findings); do not start the node on it", "存储已损坏（{0} 项）；请勿在其上启动节点", "l'archivio è danneggiato ({0} rilievi); non avviare il nodo su di esso", "der Speicher ist beschädigt ({0} Befunde); den Knoten nicht darauf starten";

    // Why an ask cannot be fulfilled, where nothing needs to be put in.
    DetailNoTwin "detail.no_twin": "this node keeps no records: its configuration names no schema", "本节点不保存记录：其配置未指定模式", "questo nodo non tiene record: la configurazione non nomina uno schema", "dieser Knoten hält keine Datensätze: seine Konfiguration nennt kein Schema";
    DetailNoSuperior "detail.no_superior": "no node of the superior that reports is connected, or it did not answer; see `reeve status`", "上级负责上报的节点未连接或未答复；见 `reeve status`", "nessun nodo del superiore che comunica è collegato, o non ha risposto; vedere `reeve status`", "kein meldender Knoten der übergeordneten Stelle ist verbunden, oder er hat nicht geantwortet; siehe `reeve status`";
    DetailNoRetention "detail.no_retention": "the schema says for no such kind how long its records are kept; name a day with --before, or set `retention` in the schema", "模式未规定此类记录的保存期限；请用 --before 指定日期，或在模式中设置 `retention`", "lo schema non dice per quanto si tengono questi record; indicare un giorno con --before, o mettere `retention` nello schema", "das Schema sagt von keiner solchen Art, wie lange ihre Datensätze bleiben; mit --before einen Tag nennen oder `retention` im Schema setzen";
    DetailNotSealing "detail.not_sealing": "this node does not report for its unit, or waits for the other nodes of its home: expire at the node that does, see `reeve status`", "本节点不为本单位上报，或正等待本单位的其他节点：请在负责上报的节点上清除，见 `reeve status`", "questo nodo non comunica per la sua unità, o attende gli altri nodi della sede: rimuovere al nodo che lo fa, vedere `reeve status`", "dieser Knoten meldet nicht für seine Einheit oder wartet auf die anderen Knoten des Hauses: an dem entfernen, der meldet, siehe `reeve status`";
    DetailNoSpace "detail.no_space": "the disk of the node's store is full, or nearly: nothing is written, what is there can be read; free space, and writing goes on by itself", "节点存储所在磁盘已满或将满：不写入任何内容，已有内容可读；腾出空间后会自动继续写入", "il disco dell'archivio è pieno, o quasi: nulla si scrive, ciò che c'è si legge; liberare spazio, e la scrittura riprende da sé", "die Platte des Speichers ist voll oder fast: nichts wird geschrieben, Vorhandenes ist lesbar; Platz schaffen, dann geht es von selbst weiter";
    DetailNoWriter "detail.no_writer": "this node's writer certificate is refused; `reeve status` says why: set the clock, or run `reeve certificate renew`", "本节点的写入者证书被拒；`reeve status` 说明原因：请校准时钟，或运行 `reeve certificate renew`", "il certificato di scrittura di questo nodo è rifiutato; `reeve status` dice perché: regolare l'orologio, o eseguire `reeve certificate renew`", "das Schreiberzertifikat dieses Knotens wird abgewiesen; `reeve status` sagt warum: die Uhr stellen oder `reeve certificate renew` ausführen";
    DetailRebuilding "detail.rebuilding": "the indicators are being computed anew from the records; ask again in a while", "正在由记录重新计算指标；请稍后再试", "gli indicatori sono in ricalcolo dai record; chiedere di nuovo tra un po'", "die Indikatoren werden aus den Datensätzen neu berechnet; in einer Weile wieder fragen";
    DetailNotReporting "detail.not_reporting": "this node does not report for its unit; change the register at the node that does", "本节点不为本单位上报；请在负责上报的节点上更改名册", "questo nodo non comunica per la sua unità; modificare il registro al nodo che lo fa", "dieser Knoten meldet nicht für seine Einheit; das Verzeichnis an dem ändern, der meldet";
    DetailNotWaiting "detail.not_waiting": "it does not wait for a second person: second-person.json could not be read or written", "未等待第二人：无法读取或写入 second-person.json", "non attende una seconda persona: second-person.json non si legge o non si scrive", "es wartet nicht auf eine zweite Person: second-person.json war nicht lesbar oder schreibbar";
}
