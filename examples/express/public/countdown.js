'use strict'

// Counts down the session's time left. At the end it asks the server, because another tab may have extended the session.

const timer = document.querySelector('[data-left]')
if (timer !== null) {
  const end = Date.now() + Number(timer.dataset.left)

  const show = () => {
    const seconds = Math.ceil((end - Date.now()) / 1_000)
    if (seconds <= 0) return window.location.assign('/?ended')
    // Days and hours stay as the server rendered them.
    if (seconds < 3_600) timer.textContent = `${Math.floor(seconds / 60)} min ${seconds % 60} s`
    setTimeout(show, (end - Date.now()) % 1_000 || 1_000)
  }
  show()
}
