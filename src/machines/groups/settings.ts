/** What the groups machine is told. The broker fills it from Kafka's names. */
export interface GroupSettings {
  /** How long a group that was empty waits for more members. `group.initial.rebalance.delay.ms` */
  readonly groupInitialRebalanceDelayMs: number
  readonly groupMinSessionTimeoutMs: number
  readonly groupMaxSessionTimeoutMs: number
  /** Members of one group, and as many again that were given an id and have not joined yet. `group.max.size` */
  readonly groupMaxSize: number
  /** How long a new member's join may wait before the member is dropped, for its client may be gone (KAFKA-7610). */
  readonly groupNewMemberJoinTimeoutMs: number
  /** Groups of one machine: beyond, new ones are refused. */
  readonly groupsMax: number
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckIntervalMs: number
  /** Longest text committed with an offset, in UTF-16 units, as Kafka counts it. */
  readonly offsetMetadataMaxBytes: number
}

/** Kafka's defaults; `groupMaxSize` and `groupsMax` are unlimited there, and bounded here. */
export const groupSettingDefaults: GroupSettings = {
  groupInitialRebalanceDelayMs: 3000,
  groupMinSessionTimeoutMs: 6000,
  groupMaxSessionTimeoutMs: 1_800_000,
  groupMaxSize: 1000,
  groupNewMemberJoinTimeoutMs: 300_000,
  groupsMax: 25_000,
  offsetsRetentionMs: 604_800_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  offsetMetadataMaxBytes: 4096,
}
