import { expect, test } from 'vitest'

import { dayGroupName, dayGroups, untilMidnight } from './day-groups.ts'

const now = new Date(2026, 2, 10, 0, 30).getTime()

test('chats are grouped by the days of this device’s calendar, and the older ones by month', () => {
  const groupAt = (...date: [number, number, number, number?]) => dayGroups(now)(new Date(...date).getTime())
  expect(groupAt(2026, 2, 10)).toBe('today')
  expect(groupAt(2026, 2, 9, 23)).toBe('yesterday')
  expect(groupAt(2026, 2, 8, 23)).toBe('week')
  expect(groupAt(2026, 2, 3)).toBe('week')
  expect(groupAt(2026, 2, 2, 23)).toBe('month')
  expect(groupAt(2026, 1, 8)).toBe('month')
  expect(groupAt(2026, 1, 7)).toBe('2026-02')
  expect(groupAt(2025, 11, 31)).toBe('2025-12')
})

test('what a wrong clock puts into the future is of today', () => {
  expect(dayGroups(now)(now + 86_400_000 * 400)).toBe('today')
  expect(dayGroups(now)(8.64e15)).toBe('today')
})

test('a month is named in the language of the page', () => {
  expect(dayGroupName('2025-09', 'en')).toBe('September 2025')
  expect(dayGroupName('2025-09', 'es')).toBe('septiembre de 2025')
  expect(dayGroupName('yesterday', 'en')).toBe('Yesterday')
})

test('the groups change at midnight', () => {
  expect(untilMidnight(now)).toBe(23.5 * 3_600_000)
})
