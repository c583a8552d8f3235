/* The wire pane. */

export class WirePane {
  constructor(element) {}
  start() {}
  opened(response, askedAt) {}
  received(bytes, at) {}
  ended(kind) {}
}
