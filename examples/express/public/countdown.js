'use strict'

// Counts down the time left of the session. When it is up the server is asked: it knows whether another tab made it longer.

const timer = document.querySelector('[data-left]')
if (timer !== null) {
  const end = Date.now() + Number(timer.dataset.left)

  const show = () => {
    const seconds = Math.ceil((end - Date.now()) / 1_000)
    if (seconds <= 0) return window.location.assign('/?ended')
    // Days and hours stay as the server wrote them.
    if (seconds < 3_600) timer.textContent = `${Math.floor(seconds / 60)} min ${seconds % 60} s`
    setTimeout(show, (end - Date.now()) % 1_000 || 1_000)
  }
  show()
}
