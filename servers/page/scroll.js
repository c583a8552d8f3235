/* Follows the text while the reader is at the bottom, and leaves him alone where he reads. */

/**
 * @param {HTMLElement} conversation what grows
 * @param {HTMLElement} pill shown when there is new text below
 * @returns {function(): void} follows from now on
 */
export function followText(conversation, pill) {
  let following = true;
  let lastScroll = 0;
  let height = 0;

  addEventListener("scroll", () => {
    const { scrollHeight, clientHeight } = document.documentElement;
    const below = scrollHeight - clientHeight - scrollY;
    // Only the reader moves upwards. Downwards, near the end counts: the text is growing.
    following = scrollY < lastScroll ? below < 2 : following || below < 100;
    lastScroll = scrollY;
    if (following) pill.hidden = true;
  });

  // Who opens the thoughts wants to read them.
  conversation.addEventListener("click", (event) => {
    if (event.target.closest("summary")) following = false;
  });

  const follow = () => {
    following = true;
    pill.hidden = true;
    scrollTo(0, document.documentElement.scrollHeight);
  };
  pill.addEventListener("click", follow);

  // Once a frame after layout, not once a token.
  new ResizeObserver(([{ contentRect }]) => {
    if (following) scrollTo(0, document.documentElement.scrollHeight);
    else if (contentRect.height > height) pill.hidden = false;
    height = contentRect.height;
    lastScroll = scrollY;
  }).observe(conversation);
  return follow;
}
