import test from 'ava'
import { dropInFor } from '#lib/cli/systemd-unit.js'

// The settings of Debian's redis-server.service that matter here.
const debian = `[Service]
ProtectHome=true
MemoryDenyWriteExecute=true
NoExecPaths=/
ExecPaths=/usr/bin/redis-server /usr/lib /lib
`

test('doctor: a unit of Debian needs executable memory, Node and the module allowed', (t) => {
  const needs = { execute: ['/usr/bin/node', '/opt/app/build'], read: ['/opt/app'] }
  t.deepEqual(dropInFor(debian, needs), ['MemoryDenyWriteExecute=no', 'ExecPaths=/usr/bin/node /opt/app/build'])
})

test('doctor: a Node or module in a home folder needs ProtectHome eased', (t) => {
  const needs = { execute: ['/usr/lib/node'], read: ['/home/me/app'] }
  t.deepEqual(dropInFor(debian, needs), ['MemoryDenyWriteExecute=no', 'ProtectHome=read-only'])
})

test('doctor: a unit with the drop-in in place needs nothing', (t) => {
  const needs = { execute: ['/usr/bin/node', '/opt/app/build'], read: ['/opt/app'] }
  const fixed = `${debian}${dropInFor(debian, needs).join('\n')}\n`
  t.deepEqual(dropInFor(fixed, needs), [])
  t.deepEqual(dropInFor('[Service]\nExecStart=/usr/bin/redis-server\n', needs), [])
})
