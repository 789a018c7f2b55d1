/** A promise that is opened once, from outside. */
export class Latch {
  readonly opened: Promise<void>
  #open: (() => void) | undefined

  constructor() {
    this.opened = new Promise(resolve => {
      this.#open = resolve
    })
  }

  get isOpen(): boolean {
    return this.#open === undefined
  }

  open(): void {
    this.#open?.()
    this.#open = undefined
  }
}
