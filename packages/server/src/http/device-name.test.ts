import { expect, it } from 'vitest'

import { deviceNameOf } from './device-name.ts'

const webKit = 'AppleWebKit/537.36 (KHTML, like Gecko)'

it.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0', 'Firefox on Linux'],
  [
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webKit} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0`,
    'Microsoft Edge on Windows',
  ],
  [`Mozilla/5.0 (Linux; Android 10; K) ${webKit} Chrome/131.0.0.0 Mobile Safari/537.36`, 'Chrome on Android'],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1',
    'Safari on iOS',
  ],
  ['curl/8.5.0', 'curl'],
  ['node', 'node'],
  ['', ''],
  [undefined, ''],
])('the device that says %j is named %j: no versions, and no model', (userAgent, name) => {
  expect(deviceNameOf(userAgent)).toBe(name)
})

it('a device whose header is hostile gets a short name without signs, or none', () => {
  expect(deviceNameOf('\u001b[31mred\u0007\n')).toBe('31mred')
  expect(deviceNameOf(`Mozilla/5.0 (${'x'.repeat(20_000)}`).length).toBeLessThanOrEqual(40)
  expect(deviceNameOf('<script>alert(1)</script>')).toBe('scriptalert')
  expect(deviceNameOf('ä'.repeat(20_000))).toBe('ä'.repeat(40))
})
