/** To be written with the spaces: admit, persist, ack, publish. */
export interface Space {
  readonly head: number
}
