/** What the client promises, against three brokers. */
import t from 'tap'
import { NemesisCluster } from '../nemesis/cluster.ts'
import { contract } from './contract/contract.ts'
import { stageAt } from './contract/stage.ts'

const cluster = await NemesisCluster.start({ count: 3 })
t.teardown(() => cluster.close())
await contract(t, stageAt(cluster.bootstrap))
