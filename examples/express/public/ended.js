'use strict'

// Waits for the end of the session: a logout on another device, or one device too many.

const events = new window.EventSource('/events')
events.addEventListener('ended', () => {
  events.close()
  // The reason is stored shortly after the end.
  setTimeout(() => window.location.assign('/?ended'), 500)
})
// Without this, a page that is kept for the Back button keeps its connection.
window.addEventListener('pagehide', () => events.close())
